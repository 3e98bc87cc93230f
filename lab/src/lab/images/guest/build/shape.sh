# Run once while the image is built: makes Debian's user space look like the family's.
set -e
# os-release is a link to /usr/lib/os-release here, as it is on Rocky
mv /etc/os-release.guest /usr/lib/os-release
ln -sf ../usr/lib/os-release /etc/os-release
ln -s rocky-release /etc/redhat-release
ln -s rocky-release /etc/system-release
rm -f /etc/debian_version
groupadd --system wheel
# before cloud-init's file for the default user: the last rule that matches wins
echo '%wheel ALL=(ALL) ALL' > /etc/sudoers.d/00-wheel
chmod 0440 /etc/sudoers.d/00-wheel
# An image has no identity: host keys and machine id are made at the first boot.
rm -f /etc/ssh/ssh_host_* /var/lib/dbus/machine-id
: > /etc/machine-id
ln -s /etc/machine-id /var/lib/dbus/machine-id
# dnf's own state starts empty; the repositories are the facility's business
rm -rf /etc/yum.repos.d/* /var/cache/dnf /var/log/dnf* /var/lib/dnf
mkdir -p /etc/yum.repos.d
rpm --initdb
rpmbuild --quiet -bb --define '_rpmdir /build/rpm' /build/release.spec
rpm --install /build/rpm/noarch/*.rpm
rm -r /root/rpmbuild
# What makes no sense without hardware, consoles of its own or the network's management by the guest.
systemctl mask getty.target console-getty.service getty-static.service \
    systemd-udevd.service systemd-udevd-control.socket systemd-udevd-kernel.socket systemd-udev-trigger.service \
    systemd-modules-load.service kmod-static-nodes.service systemd-remount-fs.service \
    sys-kernel-debug.mount sys-kernel-tracing.mount sys-kernel-config.mount sys-fs-fuse-connections.mount \
    dev-hugepages.mount dev-mqueue.mount proc-sys-fs-binfmt_misc.automount \
    systemd-timesyncd.service systemd-networkd-wait-online.service \
    apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service fstrim.timer
systemctl set-default multi-user.target
systemctl enable ssh.service lab-fstab.service
