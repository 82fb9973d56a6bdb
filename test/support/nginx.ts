import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { vi } from 'vitest'
import { canRun, titleOf } from './can-run.ts'
import { reach } from './reach.ts'

export const hasNginx = canRun('nginx')
export const nginxName = titleOf('nginx')

/** An nginx of the test's own, on loopback, with all its files in a directory of its own. */
export class Nginx {
  readonly #process: ChildProcess
  readonly #directory: string

  private constructor(child: ChildProcess, directory: string) {
    this.#process = child
    this.#directory = directory
  }

  /** Takes WebSockets at `port` and gives them to one of `servers` after the other. */
  static async start(port: number, servers: readonly string[]): Promise<Nginx> {
    const directory = await mkdtemp(join(tmpdir(), 'nginx-'))
    const file = join(directory, 'nginx.conf')
    await writeFile(file, configuration(port, servers, directory))
    const options = ['-p', directory, '-e', 'stderr', '-c', file]
    const child = spawn('nginx', options, { stdio: ['ignore', 'inherit', 'inherit'] })
    await vi.waitFor(() => reach(port), { timeout: 10_000 })
    return new Nginx(child, directory)
  }

  async close(): Promise<void> {
    const gone = once(this.#process, 'exit')
    this.#process.kill('SIGTERM')
    await gone
    await rm(this.#directory, { recursive: true, force: true })
  }
}

function configuration(port: number, servers: readonly string[], directory: string): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  return `
    daemon off;
    worker_processes 1;
    pid ${directory}/pid;
    error_log stderr crit;
    events {}
    http {
      access_log off;
      ${temporary.map((name) => `${name}_temp_path ${directory}/${name};`).join('\n')}
      upstream hubs { ${servers.map((server) => `server ${server};`).join(' ')} }
      server {
        listen 127.0.0.1:${port};
        location / {
          proxy_pass http://hubs;
          proxy_http_version 1.1;
          proxy_set_header Upgrade $http_upgrade;
          proxy_set_header Connection upgrade;
          proxy_set_header Host $http_host;
          proxy_set_header X-Forwarded-For $remote_addr;
          proxy_next_upstream error timeout http_503;
          proxy_read_timeout 75s;
        }
      }
    }
  `
}
