"""The error messages with which common runtimes, libraries and shells exit, and what each means.

Every message is cited with the projects and the files where its texts stand.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import cached_property

from kubevitals.facts.dns.logs import LOOP


class Names(Enum):
    """What a message names, which is then looked up in the cluster."""

    NOTHING = auto()
    PORT = auto()
    BINARY = auto()
    HOST = auto()
    ADDRESS = auto()
    ACCOUNT = auto()
    DIRECTORY = auto()


@dataclass(frozen=True)
class Message:
    """An error message, and what it means.

    Attributes:
        means: what is wrong; the texts' groups fill it, as they fill the remedy.
        texts: regular expressions; their groups `name` and `port` are what is looked up.
        source: the projects and the files where the texts stand.
    """

    means: str
    remedy: str
    texts: tuple[str, ...]
    source: str
    names: Names = Names.NOTHING

    @cached_property
    def patterns(self) -> tuple[re.Pattern[str], ...]:
        """The compiled texts."""
        return tuple(map(re.compile, self.texts))


@dataclass(frozen=True, slots=True)
class Line:
    """A log line with the message that it holds, and the texts of the message's groups."""

    text: str
    message: Message
    words: dict[str, str] = field(default_factory=dict)


_IP = r"\d{1,3}(?:\.\d{1,3}){3}|\[[0-9a-fA-F:]{2,45}\]"
_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,252}"
_HOST = rf"(?P<name>{_IP}|{_NAME})"
_PORT = r"(?P<port>\d{1,5})"
_PATH = r"(?<![\w./-])(?P<name>/[^\s:'\",)\u2018\u2019]{1,250}+)"
_VARIABLE = r"(?P<name>[A-Z][A-Z0-9_]{1,80})"
_ENVIRONMENT = r"(?i:environment variables?|env vars?)"

MESSAGES = (
    Message(LOOP.means, LOOP.remedy, (LOOP.text,), LOOP.source),
    Message(
        "the socket {name} is already in use",
        "remove the socket when the container starts, or end the process that still listens on it",
        (rf"unix {_PATH}: bind: address already in use",),
        "golang/go net/net.go",
    ),
    Message(
        "a port that it listens on is already in use",
        "give one of the two another port",
        (
            rf"(?i)(?<!errno)[ :]{_PORT}(?=$|[:),'\]]| failed| (?:wa|i)s| \()"
            r"(?:(?![ :]\d{1,5}\b).){0,80}\b(?:(?:already|address) in use|EADDRINUSE)",
            rf"(?i)(?:address (?:already )?in use|EADDRINUSE)\b.{{0,60}}:{_PORT}\b",
            r"(?i)\baddress (?:already )?in use\b|EADDRINUSE",
        ),
        "glibc sysdeps/gnu/errlist.h, musl src/errno/__strerror.h, golang/go net/dial.go, libuv src/uv-common.c",
        Names.PORT,
    ),
    Message(
        "a binary is not for the node's architecture, or a script has no interpreter line",
        "build the image for that architecture, or begin the script with #!",
        (r"(?i)exec format error", r"cannot execute binary file"),
        "glibc sysdeps/gnu/errlist.h (ENOEXEC), bash execute_cmd.c",
        Names.BINARY,
    ),
    Message(
        "a script has Windows line ends (CRLF)",
        "save the script with Unix line ends (LF) and build the image again",
        (
            r"(?:\\r|\^M|\r)\W{0,2}: (?:No such file|not found|command not found|bad interpreter)",
            r"bad interpreter: .{0,100}\^M",
        ),
        "coreutils src/env.c, bash execute_cmd.c",
    ),
    Message(
        "the interpreter of {name} is not in the image",
        "correct the first line of the script, or add the interpreter to the image",
        (rf"{_PATH}: (?:\S{{1,200}}: )?bad interpreter",),
        "bash execute_cmd.c",
    ),
    Message(
        "the interpreter of a script, or the loader of a binary, is not in the image",
        "correct the first line of the script (with Unix line ends), or build the binary for the image's C library",
        (r"\bexec (?:user process caused|/\S{1,250}): \"?no such file or directory",),
        "opencontainers/runc libcontainer/standard_init_linux.go",
    ),
    Message(
        "the node's CPU is too old for it ({name} is required)",
        "use an image that is built for older CPUs, or nodes with newer ones (virtual machines: CPU type host)",
        (r"CPU does not support (?P<name>x86-64-v\d)",),
        "glibc sysdeps/x86/get-isa-level.h",
    ),
    Message(
        "it does not know the flag {name}",
        "correct args of the container, or use the version of the image that knows the flag",
        (
            r"unknown (?:shorthand )?flag: '?(?P<name>[\w-]{1,100})",
            r"flag provided but not defined: (?P<name>-[\w.-]{1,100})",
            r"unrecognized (?:option|arguments?):? ['\"`]?(?P<name>-[\w.-]{1,100})",
        ),
        "spf13/pflag errors.go, golang/go flag/flag.go, glibc posix/getopt.c, cpython Lib/argparse.py",
    ),
    Message(
        "the traffic of the pod is not redirected to the proxy of its mesh: the mesh's CNI plugin has not set it up",
        "check that the mesh's CNI pod (istio-cni-node, linkerd-cni) is ready on the node, then delete the pod",
        (
            r"ensure iptables rules are rewriting traffic|Failed to validate networking configuration",
            r"\bvalidation timeout$|Error connecting to 127\.0\.0\.6:",
        ),
        "linkerd/linkerd2-proxy-init validator/src/main.rs, "
        "istio/istio tools/istio-iptables/pkg/validation/validator.go",
    ),
    Message(
        "its mesh's proxy has got no configuration from istiod",
        "see whether istiod runs, and whether this pod reaches its port 15012: its log says why not",
        (r"config not received from (?:XDS server|Pilot)",),
        "istio/istio pilot/cmd/pilot-agent/status/ready/probe.go",
    ),
    Message(
        "the data of this member of etcd is damaged",
        "remove the member from its cluster (etcdctl member remove), empty its data directory, and add it again; of a "
        "single member, restore a snapshot",
        (
            r"walpb: crc mismatch|tocommit\(\d{1,20}\) is out of range|freepages: failed to get all reachable pages",
            r"failed to (?:find|recover|read) (?:database snapshot|v3 backend|WAL)",
        ),
        "etcd-io/etcd server/storage/wal/walpb/record.go, raft/log.go, etcd-io/bbolt db.go",
    ),
    Message(
        "etcd knows this member already, whose data directory is new",
        "remove the member from its cluster (etcdctl member remove), and add it again with "
        "--initial-cluster-state=existing",
        (r"member \w{1,40} has already been bootstrapped",),
        "etcd-io/etcd server/etcdserver/bootstrap.go",
    ),
    Message(
        "the node has not loaded the kernel module br_netfilter",
        "load it on the nodes (modprobe br_netfilter), and name it in /etc/modules-load.d, as a reboot forgets it",
        (r"/proc/sys/net/bridge/[\w-]{1,60}: no such file or directory",),
        "flannel-io/flannel main.go, linux net/bridge/br_netfilter_hooks.c",
    ),
    Message(
        "it may not change the kernel setting {name}",
        "let it run privileged, or set this on the node; kube-proxy on nodes that are containers (kind, k3d, rootless) "
        "needs conntrack.maxPerCore: 0",
        (r"(?P<name>/proc/sys/[\w./-]{1,200}): (?i:permission denied|read-only file system)",),
        "linux fs/proc/proc_sysctl.c, kubernetes/kubernetes cmd/kube-proxy/app/conntrack.go",
    ),
    Message(
        "its node has no podCIDR",
        "let kube-controller-manager give nodes one: --allocate-node-cidrs=true and --cluster-cidr (kubeadm: "
        "networking.podSubnet); if it does, its log says whether the range is used up",
        (r"pod cidr not assigned",),
        "flannel-io/flannel pkg/subnet/kube/kube.go",
    ),
    Message(
        "its node cannot do IPVS",
        "load ip_vs, its schedulers (ip_vs_rr) and nf_conntrack on the nodes, or set mode in the configuration of "
        "kube-proxy to iptables or nftables",
        (r"[Cc]an't use the IPVS proxier",),
        "kubernetes/kubernetes cmd/kube-proxy/app/server_linux.go",
    ),
    Message(
        "AWS' IPAM daemon does not start",
        "read /var/log/aws-routed-eni/ipamd.log on the node: often the policy AmazonEKS_CNI_Policy is missing from its "
        "role, or it does not reach the API server by its Service (kube-proxy)",
        (r"Retrying waiting for IPAM-D",),
        "aws/amazon-vpc-cni-k8s cmd/aws-vpc-cni/main.go",
    ),
    Message(
        "the node's kernel has no iptables table {name}",
        "load the module iptable_{name} on the node, or let the CNI plugin of the mesh or network do this work",
        (r"initialize (?:ip6?tables )?table [`'](?P<name>\w{1,30})'",),
        "netfilter iptables/iptables.c and iptables-restore.c",
    ),
    Message(
        "another process holds the lock of its data: often the pod that it replaces, which has the same volume",
        "let the old pod end first: set strategy.type of the Deployment to Recreate, or use a StatefulSet; over NFS, "
        "locks may outlive their holder",
        (
            r"lock DB directory: resource temporarily unavailable",
            r"Unable to lock \./\w{1,50} error: 11|Can't lock aria control file",
            r"lock file \"postmaster\.pid\" already exists",
            r"DBPathInUse: Unable to lock|failed to obtain node locks|LockObtainFailedException",
        ),
        "prometheus/prometheus tsdb/db.go, mysql-server storage/innobase/os/os0file.cc, MariaDB "
        "storage/maria/ma_control_file.c, postgres src/backend/utils/init/miscinit.c, mongo "
        "src/mongo/db/storage/storage_engine_lock_file.cpp, "
        "elastic/elasticsearch server/src/main/java/org/elasticsearch/env/NodeEnvironment.java",
    ),
    Message(
        "its data was written by another major version of the database",
        "use the image of the version that wrote the data, or migrate it (pg_upgrade, or dump and restore)",
        (
            r"database files are incompatible with server",
            r"Invalid MySQL server (?:down|up)grade|found an invalid featureCompatibilityVersion",
        ),
        "postgres src/backend/utils/init/miscinit.c, mysql-server sql/dd/impl/upgrade/server.cc, "
        "mongo src/mongo/db/startup_recovery.cpp",
    ),
    Message(
        "the API server has no kind {name}",
        "install the CustomResourceDefinition that it needs, in the version that it asks for",
        (r"no matches for kind \\?\"(?P<name>\w{1,100})\\?\" in (?:version|group) ",),
        "kubernetes/kubernetes staging/src/k8s.io/apimachinery/pkg/api/meta/errors.go",
    ),
    Message(
        "it could not renew its Lease in time, and gave up its leadership",
        "find out why the API server answers it slowly; the container starts again by itself",
        (r"(?i)leader ?election lost|lost leadership|failed to renew lease",),
        "kubernetes/client-go tools/leaderelection/leaderelection.go, kubernetes-sigs/controller-runtime "
        "pkg/manager/internal.go",
    ),
    Message(
        'package.json has no script "{name}"',
        "correct command and args of the container, or add the script",
        (r"[Mm]issing script: \"?(?P<name>[\w:-]{1,100})",),
        "npm/cli lib/commands/run-script.js",
    ),
    Message(
        "it may not change the owner or mode of {name}",
        "let fsGroup of the securityContext give the volume to the pod's group instead, or run this container as root",
        (rf"\bch(?:own|mod|grp): (?:[\w ]{{1,40}} )?['\u2018]?{_PATH}['\u2019]?: Operation not permitted",),
        "coreutils src/chown-core.c, busybox coreutils/chown.c",
    ),
    Message(
        "the environment variable {name} is not set",
        "set {name} in env or envFrom of the workload's template",
        (
            rf"\b{_VARIABLE}: (?:unbound variable|parameter not set|parameter null or not set)",
            rf"KeyError: '{_VARIABLE}'",
            rf"(?i:missing|required|undefined|unset).{{0,40}} {_ENVIRONMENT}.{{0,12}}?[\"'`: ]{_VARIABLE}\b",
            rf"{_ENVIRONMENT}.{{0,12}}?[\"'`: ]{_VARIABLE}\b.{{0,24}}? "
            r"(?:not set|not defined|undefined|unset|missing|required|empty|must)",
            rf"\b{_VARIABLE} (?:{_ENVIRONMENT} )?(?:is not set|must be set|is required|is not defined)",
            rf"required key {_VARIABLE} missing value",
        ),
        "bash variables.c, dash src/var.c, cpython Lib/os.py, caarlos0/env env.go, "
        "kelseyhightower/envconfig envconfig.go",
    ),
    Message(
        "the database is new, and no variable sets its administrator's password",
        "set the variable that the image documents (POSTGRES_PASSWORD, MYSQL_ROOT_PASSWORD) from a Secret",
        (r"(?i)database is uninitialized and (?:superuser )?password (?:option )?is not specified",),
        "docker-library/postgres docker-entrypoint.sh, docker-library/mysql docker-entrypoint.sh",
    ),
    Message(
        "the property {name} has no value",
        "set it in the configuration, or as an environment variable",
        (r"Could not resolve placeholder '(?P<name>[\w.-]{1,100})'",),
        "spring-projects/spring-framework org/springframework/util/PropertyPlaceholderHelper.java",
    ),
    Message(
        "nothing answers at the address that it connects to",
        "check that the other side listens on that address and port, and that its pods are ready",
        (
            rf"dial (?:tcp|udp)[46]? {_HOST}:{_PORT}: (?:connect: )?(?:connection refused|i/o timeout"
            r"|connection timed out|no route to host)",
            rf"connect (?:ECONNREFUSED|ETIMEDOUT|EHOSTUNREACH) {_HOST}:{_PORT}",
            rf"connection to server at \"{_HOST}\".{{0,80}}, port {_PORT} failed: (?:Connection refused|timeout)",
            rf"Connection to {_HOST}:{_PORT} refused",
            rf"Can't connect to (?:MySQL|MariaDB|server) (?:server )?on '{_HOST}(?::{_PORT})?'",
            rf"Can't reach database server at `{_HOST}`?:`?{_PORT}",
            rf"can't connect to remote host \((?P<name>{_IP})\)",
            rf"[Ff]ailed to connect to {_HOST} port {_PORT}",
            rf"[Ee]rror \d{{1,3}} connecting to {_HOST}:{_PORT}",
            rf"host='{_HOST}', port={_PORT}.{{0,300}}(?:Connection refused|timed out)",
            r"(?:Error|Exception): .{0,160}\bConnection refused\b",
        ),
        "golang/go net/net.go, libuv src/uv-common.c, postgres src/interfaces/libpq/fe-connect.c, pgjdbc "
        "org/postgresql/core/v3/ConnectionFactoryImpl.java, mysql-server include/errmsg.h, busybox libbb/xconnect.c, "
        "curl lib/connect.c, redis/redis-py redis/connection.py, urllib3 src/urllib3/exceptions.py, "
        "prisma/prisma-engines libs/user-facing-errors",
        Names.ADDRESS,
    ),
    Message(
        "a host name cannot be resolved",
        "correct the host name in the application's configuration, or create the Service",
        (
            rf"(?i:could not translate host name|could not resolve host:?|unknown host:?|UnknownHostException:"
            rf"|bad address|getaddrinfo (?:ENOTFOUND|EAI_AGAIN)|unable to resolve host) [\"']?{_HOST}",
            rf"lookup {_HOST}(?: on \S{{1,60}})?: (?:no such host|server misbehaving|i/o timeout|Temporary failure)",
            rf"host='{_HOST}', port={_PORT}.{{0,300}}(?:Name or service not known|Failed to resolve|name resolution)",
            rf"host not found in upstream \"{_HOST}",
            rf"(?:Name or service not known|Temporary failure in name resolution): '?{_HOST}",
            rf"[Ee]rror -\d{{1,3}} connecting to {_HOST}:{_PORT}",
            rf"server can't find (?P<name>{_NAME}): (?:NXDOMAIN|SERVFAIL)",
            r"Name or service not known|Temporary failure in name resolution",
            r"connection timed out; no servers could be reached",
        ),
        "golang/go net/dnsclient_unix.go, nodejs/node lib/internal/errors.js, glibc posix/gai_strerror-strs.h, "
        "postgres src/interfaces/libpq/fe-connect.c, curl lib/strerror.c, busybox libbb/xconnect.c "
        "and networking/nslookup.c, bind9 bin/dig/dighost.c, nginx src/core/ngx_inet.c",
        Names.HOST,
    ),
    Message(
        "the runtime's own heap is full: that is a limit of the runtime, not of the pod",
        "raise the runtime's limit within the container's memory limit (-Xmx or -XX:MaxRAMPercentage, "
        "--max-old-space-size), or find the leak",
        (
            r"JavaScript heap out of memory",
            r"OutOfMemoryError: (?:Java heap space|GC overhead limit exceeded|Metaspace)",
        ),
        "v8 src/heap/heap.cc, openjdk src/hotspot/share/gc/shared/memAllocator.cpp",
    ),
    Message(
        "{name} may not {verb} {resource}",
        "grant the ServiceAccount that right, with a Role and a RoleBinding or their cluster-scoped kinds",
        (
            r"User \\?\"?(?P<name>system:serviceaccount:[\w.-]{1,63}:[\w.-]{1,253})\\?\"? cannot (?P<verb>\w{1,20}) "
            r"resource \\?\"?(?P<resource>[\w./-]{1,100})",
        ),
        "kubernetes/kubernetes staging/src/k8s.io/apiserver/pkg/endpoints/handlers/responsewriters/errors.go",
        Names.ACCOUNT,
    ),
    Message(
        "the other side refuses its credentials",
        "compare the credentials in the application's Secret with those of the other side",
        (
            r"(?i)password authentication failed for user|access denied for user",
            r"WRONGPASS|NOAUTH Authentication required",
            r"\(AuthenticationFailed\)|unable to authenticate using mechanism",
        ),
        "postgres src/backend/libpq/auth.c, mysql-server share/messages_to_clients.txt, redis src/acl.c, "
        "mongodb/mongo-go-driver x/mongo/driver/auth/auth.go",
    ),
    Message(
        "its account may not do that in database {name}",
        "grant the account a role there, or use another account",
        (r"not authorized on (?P<name>[\w.-]{1,64}) to execute command",),
        "mongo src/mongo/db/auth/authorization_checks.cpp",
    ),
    Message(
        "the other side accepts no more connections",
        "find out who holds its connections and does not return them, use a pool, or raise its limit "
        "(max_connections, maxclients)",
        (
            r"sorry, too many clients already|remaining connection slots are reserved for",
            r"ERROR 1040 |(?i:\btoo many connections\b)|max number of clients reached",
        ),
        "postgres src/backend/storage/lmgr/proc.c and utils/init/postinit.c, mysql-server "
        "share/messages_to_clients.txt, redis src/networking.c",
    ),
    Message(
        "none of the servers that it connects to answers",
        "check the addresses in its configuration, and that the pods behind them are ready",
        (r"\bno reachable servers\b", r"client has run out of available brokers to talk to", r"NoBrokersAvailable"),
        "go-mgo/mgo cluster.go, IBM/sarama errors.go, dpkp/kafka-python kafka/errors.py",
    ),
    Message(
        "the database has no table {name}",
        "run the migrations of its schema first, or correct which database the application uses",
        (
            r"relation \"(?P<name>[\w.]{1,128})\" does not exist",
            r"Table '(?P<name>[\w.$-]{1,128})' doesn't exist",
            r"no such table: (?P<name>[\w.]{1,128})",
        ),
        "postgres src/backend/parser/parse_relation.c, mysql-server share/messages_to_clients.txt, sqlite src/build.c",
    ),
    Message(
        "it finds no credentials for its cloud",
        "give its ServiceAccount an identity in the cloud (IRSA, Workload Identity), or mount credentials",
        (
            r"Unable to locate credentials|no EC2 IMDS role found|NoCredentialProviders: ",
            r"[Cc]ould not find default credentials",
        ),
        "boto/botocore botocore/exceptions.py, aws/aws-sdk-go-v2 credentials/ec2rolecreds/provider.go, aws/aws-sdk-go "
        "aws/credentials/chain_provider.go, golang/oauth2 google/default.go",
    ),
    Message(
        "it does not accept the certificate of the other side",
        "renew the certificate, or give the container the CA that signed it",
        (
            r"x509: certificate (?:has expired or is not yet valid|signed by unknown authority)",
            r"tls: failed to parse certificate from server",
            r"CERTIFICATE_VERIFY_FAILED|unable to get local issuer certificate|certificate has expired",
            r"PKIX path building failed",
        ),
        "golang/go crypto/x509/verify.go, openssl crypto/x509/x509_txt.c, "
        "openjdk sun/security/validator/PKIXValidator.java",
    ),
    Message(
        "a certificate between it and the other side has expired",
        "renew the certificate that both sides trust, and restart what still uses the old one; of a mesh, see its "
        "issuer and its trust anchor (linkerd check)",
        (r"received fatal alert: CertificateExpired|invalid peer certificate: (?:Expired|certificate expired)",),
        "rustls/rustls rustls/src/error.rs",
    ),
    Message(
        'database "{name}" does not exist',
        "create the database on its server, or correct its name in the application's configuration",
        (r"database \"(?P<name>[^\"\n]{1,100})\" does not exist", r"Unknown database '(?P<name>[^'\n]{1,100})'"),
        "postgres src/backend/utils/init/postinit.c, mysql-server share/messages_to_clients.txt",
    ),
    Message(
        "the node's vm.max_map_count is too low for it",
        "raise the sysctl on the nodes (vm.max_map_count = 262144), or let a DaemonSet do it",
        (r"max virtual memory areas vm\.max_map_count \[\d{1,12}\] is too low",),
        "elastic/elasticsearch server/src/main/java/org/elasticsearch/bootstrap/BootstrapChecks.java",
    ),
    Message(
        "its data directory is not empty, and holds no database",
        "let the database use a directory below the volume's root, which may hold lost+found (PGDATA), or empty it",
        (r"initdb: error: directory \"[^\"\n]{1,250}\" exists but is not empty",),
        "postgres src/bin/initdb/initdb.c",
    ),
    Message(
        "it may not listen on a port below 1024",
        "let it listen on a port from 1024 on, or add the capability NET_BIND_SERVICE to its securityContext",
        (
            r"(?i)\bbind(?:ing)?\b.{0,80}[:\]](?!0)\d{1,3}\b.{0,40}permission denied",
            r"listen (?:tcp|udp)[46]? \S{0,60}:\d{1,3}: bind: permission denied",
            r"(?i)listen EACCES.{0,60}:\d{1,3}\b(?!\d)",
            r"(?i)\b(?:make_sock|could not bind to address).{0,60}:\d{1,3}\b",
        ),
        "linux net/ipv4/af_inet.c (EACCES), nginx src/core/ngx_connection.c, nodejs/node lib/net.js",
    ),
    Message(
        "it can start no more processes or threads",
        "raise the limit of processes (podPidsLimit of the kubelet), or find why it starts so many",
        (
            r"(?i)\b(?:fork|clone|pthread_create|unable to create (?:new )?native thread)\b.{0,80}"
            r"(?:resource temporarily unavailable|EAGAIN|process/resource limits)",
        ),
        "glibc sysdeps/gnu/errlist.h (EAGAIN), openjdk src/hotspot/share/prims/jvm.cpp",
    ),
    Message(
        "{name} is missing from the image",
        "build it into the image, or correct command and args of the container",
        (
            r"ModuleNotFoundError: No module named '(?P<name>[^'\n]{1,200})'",
            r"Cannot find module '(?P<name>[^'\n]{1,200})'",
            r"(?:ClassNotFoundException|NoClassDefFoundError):? (?P<name>[\w.$/]{1,200})",
            r"Could not find or load main class (?P<name>[\w.$/]{1,200})",
            r"^\S{0,100}sh: (?:line )?(?:\d{1,6}: )?(?:exec: )?(?P<name>[^\s:'\"]{1,200}): (?:command )?not found",
            r"^(?:/usr/bin/)?env: (?:can't execute )?\W?(?P<name>[\w./+-]{1,200})\W?: No such file or directory",
        ),
        "cpython Lib/importlib/_bootstrap.py, nodejs/node lib/internal/modules/cjs/loader.js, openjdk java/lang, "
        "dash src/exec.c, bash execute_cmd.c, busybox shell/ash.c, coreutils src/env.c",
    ),
    Message(
        "the shared library {name} is missing from the image",
        "install it in the image, or build the binary for the image's C library (glibc or musl)",
        (
            r"error while loading shared libraries: (?P<name>[\w.+-]{1,200})",
            r"Error loading shared library (?P<name>[\w.+-]{1,200})",
            r"version `(?P<name>GLIBC_[\d.]{1,10})' not found",
        ),
        "glibc elf/dl-load.c and elf/dl-version.c, musl ldso/dynlink.c",
    ),
    Message(
        "{name} is read-only",
        "mount an emptyDir there, or set readOnlyRootFilesystem to false",
        (rf"{_PATH}.{{0,60}}[Rr]ead-only file system", rf"EROFS.{{0,80}}['\"]{_PATH}"),
        "glibc sysdeps/gnu/errlist.h (EROFS)",
    ),
    Message(
        "it has no permission for {name}",
        "correct the file's owner and mode in the image, or runAsUser and fsGroup of the securityContext",
        (
            rf"(?i:permission denied|EACCES).{{0,60}}['\"]{_PATH}",
            rf"{_PATH}['\"\u2019]?:? (?:(?!\s['\"]?/).){{0,60}}(?i:permission denied)",
        ),
        "glibc sysdeps/gnu/errlist.h (EACCES)",
    ),
    Message(
        "{name} does not exist in the container",
        "add the file to the image, or mount the volume that holds it at that path",
        (
            rf"{_PATH}['\"]?:? .{{0,60}}(?:[Nn]o such file or directory|not found)",
            rf"(?:ENOENT|No such file or directory|can't open).{{0,80}}['\"]{_PATH}",
        ),
        "glibc sysdeps/gnu/errlist.h (ENOENT)",
    ),
    Message(
        "{name} is a directory, and it expects a file",
        "correct the path in its configuration, or mountPath and subPath of the volumeMount",
        (rf"{_PATH}['\"]?:? .{{0,60}}(?i:is a directory)", rf"(?:EISDIR|Is a directory).{{0,80}}['\"]{_PATH}"),
        "glibc sysdeps/gnu/errlist.h (EISDIR)",
        Names.DIRECTORY,
    ),
    Message(
        "Vault is sealed",
        "unseal it (vault operator unseal), initialize it first if it is new, or repair what unseals it automatically",
        (r"\bSealed\s{1,30}true\b", r"(?i)\bvault is sealed\b"),
        "hashicorp/vault command/format.go, sdk/helper/consts/error.go",
    ),
    Message(
        "it takes a directory for a file, or a file for a directory",
        "correct the path in its configuration, or mountPath and subPath of the volumeMount",
        (r"(?i)\b(?:is a directory|not a directory)\b|EISDIR|ENOTDIR",),
        "glibc sysdeps/gnu/errlist.h (EISDIR, ENOTDIR)",
        Names.DIRECTORY,
    ),
    Message(
        "it has too many files, or inotify instances, open",
        "find what it does not close, or raise the limit (ulimit -n; fs.inotify.max_user_instances on the node)",
        (r"(?i)too many open files|EMFILE",),
        "glibc sysdeps/gnu/errlist.h (EMFILE)",
    ),
    Message(
        "the kernel refuses an operation that its securityContext does not allow",
        "add the capability that it needs to the securityContext, or let it do without",
        (r"(?i)\boperation not permitted\b",),
        "glibc sysdeps/gnu/errlist.h (EPERM)",
    ),
)
"""From specific to general: what names an object stands before what only names an error."""


def recognise(lines: Iterable[str]) -> Line | None:
    """Return the latest line that holds a message of the table; of one line, the first message counts."""
    for line in dict.fromkeys(reversed(list(lines))):
        for message in MESSAGES:
            for pattern in message.patterns:
                if match := pattern.search(line):
                    return Line(line, message, {group: text for group, text in match.groupdict().items() if text})
    return None
