# The page and the command line, on a CPU:
#   docker build -t innersr .
#   docker run --rm -p 127.0.0.1:7860:7860 innersr
#   docker run --rm --user "$(id -u):$(id -g)" -v "$PWD:/work" innersr upscale photo.jpg
FROM python:3.11-slim
WORKDIR /source
COPY pyproject.toml constraints.txt README.md LICENSE NOTICE ./
COPY src src
RUN pip install --no-cache-dir --index-url https://download.pytorch.org/whl/cpu torch==2.13.0 \
    && pip install --no-cache-dir -c constraints.txt '.[web,video]' \
    && useradd --create-home --uid 1000 innersr \
    && mkdir /work && chown innersr /work
# For users of any number, who may have no home.
ENV MPLCONFIGDIR=/tmp/matplotlib
USER innersr
WORKDIR /work
EXPOSE 7860
# Of the page; a container that runs another command is done before, or may be called unhealthy.
# Past the proxy that Docker may be told to give to all containers.
HEALTHCHECK --start-period=60s CMD ["python", "-c", \
    "import urllib.request as r; r.build_opener(r.ProxyHandler({})).open('http://127.0.0.1:7860/')"]
ENTRYPOINT ["innersr"]
CMD ["web", "--host", "0.0.0.0", "--allow-public", "--no-browser"]
