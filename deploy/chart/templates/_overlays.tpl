{{- /* Helm creates the release's namespace. With rights in one namespace, nothing outside it is created. */ -}}
{{- define "kubevitals.leftOut" -}}
{{- $outside := list "Namespace" "ClusterRole" "ClusterRoleBinding" "PriorityClass" -}}
{{- if and (eq .object.kind "Namespace") (eq .object.metadata.name "kubevitals") -}}left out
{{- else if and .namespaced (or (has .object.kind $outside) (eq .object.metadata.name "kubevitals-configuration")) -}}left out
{{- end -}}
{{- end -}}

{{- define "kubevitals.place" -}}
{{- $inCluster := list "Namespace" "ClusterRole" "ClusterRoleBinding" "PriorityClass" -}}
{{- $place := .object.metadata.namespace | default "kubevitals" -}}
{{- if and (eq $place "kubevitals") (not (has .object.kind $inCluster)) -}}
{{- $_ := set .object.metadata "namespace" .namespace -}}
{{- end -}}
{{- range .object.subjects -}}
{{- $_ := set . "namespace" $.namespace -}}
{{- end -}}
{{- end -}}

{{- define "kubevitals.cronJob" -}}
{{- $values := .root.Values -}}
{{- $_ := set .job.spec "schedule" $values.schedule -}}
{{- $pod := .job.spec.jobTemplate.spec.template.spec -}}
{{- $container := first $pod.containers -}}
{{- $tag := $values.image.tag | default .root.Chart.AppVersion -}}
{{- $_ := set $container "image" (printf "%s:%s" $values.image.repository $tag) -}}
{{- $args := list -}}
{{- range $container.args -}}
{{- if and $values.kubelet (eq . "--kubelet=none") -}}{{- $args = append $args "--kubelet=direct" -}}
{{- else if and (eq $values.state "configmap") (hasPrefix "--history=" .) -}}{{- $args = append $args "--state=configmap/$(NAMESPACE)/kubevitals-state" -}}
{{- else -}}{{- $args = append $args . -}}
{{- end -}}
{{- end -}}
{{- if $values.probe -}}{{- $args = append $args "--probe" -}}{{- end -}}
{{- if $values.namespaced -}}{{- $args = concat $args (list "--namespace=$(NAMESPACE)" "--namespaced-only") -}}{{- $_ := unset $pod "priorityClassName" -}}{{- end -}}
{{- $_ := set $container "args" (concat $args ($values.args | default list)) -}}
{{- $_ := set $container "env" (concat $container.env ($values.env | default list)) -}}
{{- if $values.resources -}}{{- $_ := set $container "resources" $values.resources -}}{{- end -}}
{{- if $values.nodeSelector -}}{{- $_ := set $pod "nodeSelector" $values.nodeSelector -}}{{- end -}}
{{- if $values.imagePullSecrets -}}{{- $_ := set $pod "imagePullSecrets" $values.imagePullSecrets -}}{{- end -}}
{{- if eq $values.state "claim" -}}
{{- $claim := dict "name" "reports" "persistentVolumeClaim" (dict "claimName" "kubevitals-reports") -}}
{{- $_ := set $pod "volumes" (prepend (rest $pod.volumes) $claim) -}}
{{- end -}}
{{- end -}}
