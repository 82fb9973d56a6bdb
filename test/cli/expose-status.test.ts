import { readFile } from 'node:fs/promises'
import { once } from 'node:events'
import { join } from 'node:path'
import { describe, expect, it, vi } from 'vitest'
import { keyToString, loadOrCreateKeys } from '../../plugs/keys.ts'
import { startHub } from '../../signal-server/index.ts'
import { canRun, titleOf } from '../support/can-run.ts'
import { programFile, start, temporaryFolder } from './command.ts'
import { connectTcp, portOf, serveTcp } from './services.ts'
import { openTerminal } from './terminal.ts'

describe.skipIf(!canRun('script'))(`on a terminal of ${titleOf('script')}, expose`, () => {
  it(
    'shows that who forwards is lost, and for how long what was open is kept',
    { timeout: 60_000 },
    async () => {
      const hub = await startHub({ exemptLoopback: true })
      try {
        const closed = vi.fn<() => void>()
        const service = await serveTcp((socket) => socket.once('close', closed).write('hello'))
        const folder = temporaryFolder()
        const [key, addressFile] = [join(folder, 'key'), join(folder, 'address')]
        const { publicKey } = await loadOrCreateKeys(key)
        const flags = `--hub ${hub.url} --allow ${keyToString(publicKey)} --address-file '${addressFile}'`
        const terminal = openTerminal(
          `stty columns 100; NO_COLOR=1 '${process.execPath}' '${programFile}' expose ${service} ${flags}`,
        )
        await terminal.shows('nobody is connected')
        const address = (await readFile(addressFile, 'utf8')).trim()
        const forwarding = start(['forward', '0', address, '--key', key])
        await once(await connectTcp(await portOf(forwarding)), 'data')
        await terminal.shows(' 1 open ↑ ')
        forwarding.kill()
        await terminal.shows(' rtc 1 open lost, waiting ')
        expect(closed).not.toHaveBeenCalled()
      } finally {
        await hub.close()
      }
    },
  )
})
