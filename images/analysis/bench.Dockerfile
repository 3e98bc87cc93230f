# The analysis image: the environment of ./Dockerfile and `bench` from the checkout, installed below site/ of the context.
ARG ENVIRONMENT
FROM ${ENVIRONMENT}
USER 0
COPY site/ /opt/env/lib/python3.11/site-packages/
RUN python3 -m compileall -q /opt/env/lib/python3.11/site-packages/bench
# JupyterLab asks nobody whether he wants news of it: this image is of one version, and often has no way out
COPY overrides.json /opt/env/share/jupyter/lab/settings/
COPY jupyter_server_config.py /opt/env/etc/jupyter/
USER 1000
