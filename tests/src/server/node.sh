# A node's containerd and kubelet. It is process 1 of a PID namespace, in a
# mount namespace of its own: when it ends, whatever the end is, the kernel
# kills everything in there (shims and containers too), and the mounts are gone.
#
# arguments: FOLDER CONTAINERD CTR KUBELET [IMAGE...]
#   FOLDER  has config.toml, kubelet.json and kubeconfig; logs go there
#   IMAGE   an archive that containerd loads before the kubelet starts
set -eu
folder=$1 containerd=$2 ctr=$3 kubelet=$4
shift 4

# What programs here write to fixed places is gone with the namespace. Two
# empty folders may stay behind outside.
mkdir -p /var/lib/kubelet /var/log/containers "$folder/node"
for place in /run /var/lib/kubelet /var/log/containers "$folder/node"; do
    mount -t tmpfs -o mode=0755 node "$place"
done

"$containerd" --config "$folder/config.toml" >>"$folder/containerd.log" 2>&1 &
one=$!
left=300
until "$ctr" -a /run/containerd/containerd.sock version >/dev/null 2>&1; do
    kill -0 "$one" && left=$((left - 1)) && [ "$left" -gt 0 ] || { tail -n 15 "$folder/containerd.log"; exit 1; }
    sleep 0.1
done
for image; do
    "$ctr" -a /run/containerd/containerd.sock -n k8s.io images import --local "$image"
done

"$kubelet" --config "$folder/kubelet.json" --kubeconfig "$folder/kubeconfig" --root-dir "$folder/node/kubelet" \
    --cert-dir "$folder/node/pki" --hostname-override 127.0.0.1 >>"$folder/kubelet.log" 2>&1 &
two=$!
while kill -0 "$one" && kill -0 "$two"; do
    sleep 0.5
done
tail -n 15 "$folder/containerd.log" "$folder/kubelet.log"
exit 1
