# The analysis image: the environment of ./Dockerfile and `bench` from the checkout, installed below site/ of the context.
ARG ENVIRONMENT
FROM ${ENVIRONMENT}
USER 0
COPY site/ /opt/env/lib/python3.11/site-packages/
RUN python3 -m compileall -q /opt/env/lib/python3.11/site-packages/bench
USER 1000
