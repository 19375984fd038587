/**
 * What the router is measured beside: HAProxy of the same image with the least configuration that leads a host to a
 * server, the same with the duties of a router written out (log line, request id, forwarded headers), nginx, and Caddy.
 */

export interface PeerConfig {
  readonly name: string
  readonly file: string
  readonly text: string
  readonly command: readonly string[]
}

/** The peer that all others are held against. */
export const bareName = 'bare HAProxy'

const haproxyHead = `global
  maxconn 4000
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
`

/** `folder` is where the files are, also inside the container. */
export function peerConfigs(folder: string, ports: readonly number[], backend: string, host: string): PeerConfig[] {
  const [bare = 0, dutiful = 0, nginx = 0, caddy = 0] = ports
  const haproxy = (file: string) => ['haproxy', '-W', '-db', '-f', `${folder}/${file}`]
  return [
    {
      name: bareName,
      file: 'bare.cfg',
      command: haproxy('bare.cfg'),
      text: `${haproxyHead}frontend public
  bind 127.0.0.1:${bare}
  use_backend app if { req.hdr(host) -i ${host} }
backend app
  server one ${backend}
`,
    },
    {
      name: 'HAProxy, our duties',
      file: 'dutiful.cfg',
      command: haproxy('dutiful.cfg'),
      text: `${haproxyHead.replace('global\n', 'global\n  log 127.0.0.1:9 format raw local0\n')}  log global
  option httplog
  option forwardfor
  unique-id-format %[uuid()]
  unique-id-header x-request-id
frontend public
  bind 127.0.0.1:${dutiful}
  http-request set-header x-forwarded-proto http
  http-request set-header x-forwarded-port %[dst_port]
  http-request set-header x-request-start %[request_date(ms)]
  http-request set-header via "1.1 peer"
  use_backend %[req.hdr(host),lower,map(${folder}/hosts.map,none)]
backend app
  server one ${backend}
backend none
  http-request return status 404
`,
    },
    {
      name: 'nginx',
      file: 'nginx.conf',
      command: ['nginx', '-c', `${folder}/nginx.conf`, '-g', 'daemon off;'],
      text: `worker_processes 1;
pid /tmp/nginx.pid;
error_log stderr;
events { worker_connections 4096; }
http {
  access_log off;
  client_body_temp_path /tmp/b; proxy_temp_path /tmp/p; fastcgi_temp_path /tmp/f; uwsgi_temp_path /tmp/u; scgi_temp_path /tmp/s;
  keepalive_requests 1000000;
  upstream app { server ${backend}; keepalive 128; keepalive_requests 1000000; }
  server {
    listen 127.0.0.1:${nginx};
    server_name ${host};
    location / { proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host; }
  }
}
`,
    },
    {
      name: 'Caddy',
      file: 'Caddyfile',
      command: ['caddy', 'run', '--config', `${folder}/Caddyfile`, '--adapter', 'caddyfile'],
      text: `{
  admin off
  auto_https off
}
http://${host}:${caddy} {
  bind 127.0.0.1
  reverse_proxy ${backend} {
    transport http {
      keepalive_idle_conns_per_host 256
    }
  }
}
`,
    },
  ]
}

/** The app behind all of them. */
export function backendConfig(port: number): string {
  return `worker_processes 1;
pid /tmp/nginx.pid;
error_log stderr;
events { worker_connections 4096; }
http {
  access_log off;
  client_body_temp_path /tmp/b; proxy_temp_path /tmp/p; fastcgi_temp_path /tmp/f; uwsgi_temp_path /tmp/u; scgi_temp_path /tmp/s;
  keepalive_requests 100000000;
  keepalive_timeout 3600s;
  server {
    listen 127.0.0.1:${port} reuseport backlog=4096;
    listen 127.0.0.1:${port + 1} reuseport backlog=4096;
    location / { return 200 "${'0123456789abcdef'.repeat(64)}"; }
  }
}
`
}

/** What a browser sends beside the host; ~600 bytes. */
export const browserHeaders = [
  'User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36',
  'Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8',
  'Accept-Language: en-GB,en;q=0.9,de;q=0.8',
  'Accept-Encoding: gzip, deflate, br',
  'Referer: http://bench.localhost/some/page?with=query',
  'Cookie: sessionid=0123456789abcdef0123456789abcdef; csrftoken=fedcba9876543210fedcba9876543210; theme=dark',
  'Upgrade-Insecure-Requests: 1',
  'Sec-Fetch-Mode: navigate',
  'Cache-Control: max-age=0',
]
