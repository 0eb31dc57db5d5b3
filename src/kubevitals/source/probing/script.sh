# The program of a probe pod (busybox sh). It waits for its targets, connects to all of them at once, and prints a line
# for each answer. The reader of the log judges the answers. NETWORK, RUN, TOKEN and PORT are in its environment.

set -f
PATIENCE=3
ROUTES=1001

# Set NOW to milliseconds since boot.
now() {
  read -r up _ </proc/uptime
  NOW=$((${up%.*} * 1000 + 1${up#*.}0 - 1000))
}

# Print the lines of a file, each after a word: show WORD FILE BYTES
show() {
  head -c "$3" "$2" 2>/dev/null | while read -r line || [ -n "$line" ]; do printf '%s %s\n' "$1" "$line"; done
}

one_line() {
  tr -c '\040-\176' ' '
}

# Connect to KIND HOST PORT, and print the part of the answer that shows whether it is the right one.
ask() {
  case $2 in *:*) at="[$2]:$3" ;; *) at="$2:$3" ;; esac
  case $1 in
    open-*)
      said=$(timeout $((PATIENCE + 1)) nc -w "$PATIENCE" "$2" "$3" </dev/null 2>&1 | head -c 200)
      case $said in 'nc: '*) echo "$said" ;; *) echo connected ;; esac
      ;;
    api-*) printf 'GET / HTTP/1.0\r\n\r\n' | timeout "$PATIENCE" nc "$2" "$3" 2>&1 | head -c 200 ;;
    large) timeout "$PATIENCE" wget -q -O - "http://$at/large" 2>&1 | tail -c 80 ;;
    kube-proxy) timeout "$PATIENCE" wget -q -O - "http://$at/healthz" 2>&1 | head -c 200 ;;
    *) timeout "$PATIENCE" wget -q -O - "http://$at/token" 2>&1 | head -c 200 ;;
  esac | one_line
}

# reach KIND HOST PORT NODE TRIES
reach() {
  left=$5
  while [ "$left" -gt 0 ]; do
    now && start=$NOW
    said=$(ask "$1" "$2" "$3")
    now
    printf 'reach %s %s %s %s %s %s\n' "$1" "$2" "$3" "$4" $((NOW - start)) "$said"
    left=$((left - 1))
  done
}

# lookup NAME WHERE THROUGH SERVER POD TRIES
lookup() {
  left=$6
  while [ "$left" -gt 0 ]; do
    now && start=$NOW
    said=$(timeout "$PATIENCE" nslookup "$1" "$4" 2>&1 | head -c 600 | one_line)
    now
    printf 'lookup %s %s %s %s %s %s %s\n' "$1" "$2" "$3" "$4" "$5" $((NOW - start)) "$said"
    left=$((left - 1))
  done
}

# Query each name server of this pod's resolv.conf: resolver NAME WHERE TRIES
resolver() {
  grep '^ *nameserver' /etc/resolv.conf | head -n 3 | {
    while read -r _ server _; do lookup "$1" "$2" resolver "$server" - "$3" & done
    wait
  }
}

# Print the settings of connection tracking: NAME VALUE …
tracking() {
  printf tracking
  for name in tcp_timeout_established tcp_timeout_close_wait tcp_loose tcp_be_liberal; do
    value=$(cat "/proc/sys/net/netfilter/nf_conntrack_$name") && printf ' %s %s' "$name" "$value"
  done
  echo
}

# Print what the kernel counts and allows: NAME VALUE … (The fourth word of /proc/loadavg is RUNNING/THREADS.)
limits() {
  printf limits
  # The words are split here on purpose.
  set -- $(cat /proc/sys/fs/file-nr 2>/dev/null) && [ "$#" -eq 3 ] && printf ' files %s files_max %s' "$1" "$3"
  set -- $(cat /proc/loadavg 2>/dev/null) && [ "$#" -eq 5 ] && printf ' threads %s' "${4#*/}"
  for name in pid_max threads-max; do
    value=$(cat "/proc/sys/kernel/$name" 2>/dev/null) && printf ' %s %s' "$name" "$value"
  done
  echo
}

# Print the entries of the table, their maximum and the counters. (`read` reads byte by byte, which /proc/sys refuses.)
conntrack() {
  count=$(cat /proc/sys/net/netfilter/nf_conntrack_count) && max=$(cat /proc/sys/net/netfilter/nf_conntrack_max) &&
    printf 'conntrack %s %s\n' "$count" "$max" && show stat /proc/net/stat/nf_conntrack 40000
}

# Print the address families that have a default route, also one in two halves. Routes that reject have no device.
defaults() {
  [ -r /proc/net/route ] || return
  printf defaults
  while read -r device network _ _ _ _ _ mask _; do
    case "$device $network $mask" in '* '*) ;; *' 00000000 000000'[08]0) printf ' IPv4' ;; esac
  done </proc/net/route
  while read -r network size _ _ _ _ _ _ _ device; do
    case "$device $network $size" in 'lo '*) ;; *' 00000000000000000000000000000000 0'[01]) printf ' IPv6' ;; esac
  done </proc/net/ipv6_route
  echo
}

routes() {
  {
    while read -r device network via _ _ _ _ mask _; do echo "route $device $network $via $mask"; done </proc/net/route
    while read -r network size _ _ via _ _ _ _ device; do
      [ "$device" = lo ] || echo "route6 $device $network $size $via"
    done </proc/net/ipv6_route
  } 2>/dev/null | head -n "$ROUTES"
}

# Print the vital readings, in whole lines of fewer bytes than the 4,096 of a termination message.
vitals() {
  grep -E '^(conntrack|tracking|defaults|limits|resolv|reach (peer|service|api-service|kube-proxy)) ' /scratch/log |
    awk '{ bytes += length($0) + 1; if (bytes < 4000) print }'
}

look() {
  if [ "$NETWORK" = host ]; then
    conntrack 2>/dev/null
    tracking 2>/dev/null
    defaults 2>/dev/null
    limits
  fi
  [ -r /etc/resolv.conf ] && echo 'resolv # read, even if it is empty' && show resolv /etc/resolv.conf 8000
  until [ -s /targets/targets ]; do sleep 1; done
  while read -r what words; do
    case $what in
      # The words of a target have no blanks and no special characters: they are split here on purpose.
      reach | lookup | resolver) "$what" $words & ;;
    esac
  done </targets/targets
  wait
  if [ "$NETWORK" = host ]; then
    conntrack 2>/dev/null
    routes
  fi
  echo "end $RUN"
}

if [ "$NETWORK" = pod ]; then
  mkdir -p /scratch/www
  echo "$TOKEN" >/scratch/www/token
  { head -c 6000 /dev/zero | tr '\000' .; echo "$TOKEN"; } >/scratch/www/large
  httpd -p "$PORT" -h /scratch/www
fi
look | tee /scratch/log
vitals >/scratch/vitals
: >/scratch/done
while :; do sleep 3600; done
