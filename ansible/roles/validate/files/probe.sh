# What a node is made of, as lines `name value...`. Changes nothing, and needs a shell alone: a node may lack Python.
# Arguments: Python, mount of the data, its devices, kernel modules, addresses; the last three are lists of words.
python=$1 data=$2 devices=$3 modules=$4 addresses=$5
echo "time $(date +%s.%N)"
echo "kernel $(uname -r)"
echo "python $("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null || echo none)"
echo "cores $(nproc)"
echo "memory_kib $(sed -n 's/^MemTotal: *\([0-9]*\) kB/\1/p' /proc/meminfo)"
echo "root_free_kib $(df -Pk / | awk 'NR == 2 {print $4}')"
if mountpoint -q "$data"; then
    echo "data_free_kib $(df -Pk "$data" | awk 'NR == 2 {print $4}')"
fi
for device in $devices; do
    if [ -b "$device" ]; then
        echo "device $device $(blockdev --getsize64 "$device" 2>/dev/null || echo 0)"
    fi
done
case $(stat -fc %T /sys/fs/cgroup) in
    cgroup2fs) echo "cgroup 2 $(cat /sys/fs/cgroup/cgroup.controllers)" ;;
    *) echo "cgroup 1 $(awk '!/^#/ && $4 == 1 {printf "%s ", $1}' /proc/cgroups)" ;;
esac
for module in $modules; do
    if [ -d "/sys/module/$module" ] || modprobe -n -q "$module" 2>/dev/null; then
        echo "module $module"
    fi
done
# Ports in hexadecimal; state 0A listens, UDP has no such state.
awk 'FNR > 1 && $4 == "0A" {print "tcp", substr($2, length($2) - 3)}' /proc/net/tcp /proc/net/tcp6
awk 'FNR > 1 {print "udp", substr($2, length($2) - 3)}' /proc/net/udp /proc/net/udp6
if [ -e /etc/kubernetes/kubelet.conf ]; then
    echo "member yes"
fi
# All at once: the one that does not answer decides how long it takes.
for address in $addresses; do
    {
        said=$(curl -sS -o /dev/null -w '%{http_code}' --connect-timeout 5 --max-time 10 "$address" 2>&1) || :
        echo "address $address $(echo "$said" | tr '\n' ' ')"
    } &
done
wait
echo "end"
