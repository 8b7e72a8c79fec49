# One image for web, worker and clock; the command says which (see compose.yaml).
FROM python:3.12-slim
WORKDIR /srv/hds
RUN useradd --system --create-home hds
COPY requirements.lock .
RUN pip install --no-cache-dir --require-hashes -r requirements.lock
COPY wsgi.py ./
COPY hds hds
COPY migrations migrations
COPY templates templates
COPY static static
ENV PYTHONUNBUFFERED=1 FLASK_SKIP_DOTENV=1 HDS_ENV=production HDS_DATA=/data HOST=0.0.0.0 WEB_WORKERS=2
RUN mkdir /data && chown hds /data
USER hds
VOLUME /data
EXPOSE 5000
# Behind a proxy that takes in whole request bodies first: deploy/nginx.conf.
CMD ["python", "-m", "hds", "web"]
