# The guest in the shape of Rocky Linux 9.7: that of 8.6, whose layers it shares, with another release's name. Kernel,
# C library, packages and Python are the same Debian's. See README beside this file.
ARG GUEST
FROM ${GUEST}

COPY release.spec /build/
RUN sed -i 's/8\.6/9.7/g; s/Green Obsidian/Blue Onyx/; s/el8/el9/' /usr/lib/os-release /etc/rocky-release \
 && sed -i 's/8\.6/9.7/g; s/(releasever) = 8/(releasever) = 9/' /build/release.spec \
 && rpmbuild --quiet -bb --define '_rpmdir /build/rpm' /build/release.spec \
 && rpm --upgrade /build/rpm/noarch/*.rpm \
 && rm -r /build /root/rpmbuild
