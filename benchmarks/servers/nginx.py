"""nginx with a configuration, ports and folders of its own."""

import os
import shutil

# The body is read because it is mirrored to a place that drops it; a static file cannot be POSTed to, so
# nginx answers 405, which becomes the answer. All is read into memory: with a temporary file for what is long,
# nginx needed more time for 100 MiB (48 to 62 ms) than the client, and was what was measured.
_CONFIG = """
daemon off;
worker_processes 1;
pid {work}/nginx.pid;
error_log {work}/error.log error;
{user}
events {{ worker_connections 1024; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    tcp_nodelay on;
    keepalive_timeout 300s;
    keepalive_requests 10000000;
    client_max_body_size 0;
    client_body_buffer_size 128m;
    client_body_temp_path {work}/bodies;
    proxy_temp_path {work}/proxy;
    fastcgi_temp_path {work}/fastcgi;
    uwsgi_temp_path {work}/uwsgi;
    scgi_temp_path {work}/scgi;
    default_type application/json;
    open_file_cache max=1000 inactive=600s;
    open_file_cache_valid 600s;
    server {{
        listen 127.0.0.1:{port};
        {tls}
        root {root};
        location = /sink {{ internal; return 204; }}
        location = /api/v1/files {{
            mirror /sink;
            error_page 405 =200 /answers/small.json;
            try_files /pages/$arg_cursor.json =404;
        }}
        location = /openai/v1/files {{
            mirror /sink;
            error_page 405 =200 /openai/answers/small.json;
            try_files /openai/pages/$arg_after.json =404;
        }}
        location ~ ^/(?:api|openai)/v1/files/or_file_(small|mid|big)[^/]*/content$ {{
            default_type application/octet-stream;
            try_files /content/$1 =404;
        }}
        location ~ ^/api/v1/files/or_file_(small|mid|big)[^/]*$ {{ try_files /answers/$1.json =404; }}
        location ~ ^/openai/v1/files/or_file_(small|mid|big)[^/]*$ {{ try_files /openai/answers/$1.json =404; }}
    }}
}}
"""


# glibc keeps the memory of one body for the next: to give it back and touch it anew took half of the time.
_KEPT = ("MALLOC_MMAP_THRESHOLD_=2000000000", "MALLOC_TRIM_THRESHOLD_=2000000000")


def _tls(port, certificate):
    if certificate is None:
        return ""
    return f"listen 127.0.0.1:{port} ssl; ssl_certificate {certificate.chain}; ssl_certificate_key {certificate.key};"


def found():
    """Where nginx is; None if it is not installed."""
    return shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")


def command(program, root, work, ports, certificate):
    """Write the configuration; return what to run."""
    config = work / "nginx.conf"
    user = "user root;" if os.geteuid() == 0 else ""
    config.write_text(_CONFIG.format(work=work, root=root, port=ports[0], user=user, tls=_tls(ports[1], certificate)))
    return ["env", *_KEPT, program, "-c", str(config), "-p", str(work)]
