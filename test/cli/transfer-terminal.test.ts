import { chmod, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ProgressMeter } from '../../cli/transfer/progress.ts'
import { canRun, titleOf } from '../support/can-run.ts'
import { openTerminal } from './terminal.ts'
import { makeFile, startSend } from './transfer-processes.ts'
import { programFile, temporaryFolder } from './command.ts'

describe.skipIf(!canRun('script'))(`on a terminal of ${titleOf('script')}, receive`, () => {
  it('shows what is offered and asks, takes it when told yes, and shows how far it is', async () => {
    const { terminal, inbox, source, address } = await receiveOnTerminal()
    const declined = startSend(source, address)
    await terminal.shows('Take them from')
    expect(terminal.text()).toContain('source.bin  3.0 MB  can be executed')
    terminal.type('n\r')
    expect((await declined.ended).stderr).toContain('DECLINED')
    const accepted = startSend(source, address)
    await terminal.shows('Take them from', 2)
    terminal.type('y\r')
    expect((await accepted.ended).code).toBe(0)
    expect(await terminal.ended).toBe(0)
    expect(terminal.text()).toMatch(/source\.bin {2}\[=* *\] {2}\d+%/)
    // It has said so, and need not print it for a script as well.
    expect(terminal.text()).not.toMatch(/^source\.bin\r?$/m)
    expect(await readdir(inbox)).toEqual(['source.bin'])
  })

  it('says under which name a file is whose own was taken', async () => {
    const { terminal, inbox, source, address } = await receiveOnTerminal('--rename')
    await writeFile(join(inbox, 'source.bin'), 'mine')
    const sender = startSend(source, address)
    await terminal.shows('Take them from')
    terminal.type('y\r')
    expect((await sender.ended).code).toBe(0)
    expect(await terminal.ended).toBe(0)
    expect(terminal.text()).toContain('source.bin, as source (1).bin')
  })

  it('ends with Ctrl-C while it asks, and takes nothing', async () => {
    const { terminal, inbox, source, address } = await receiveOnTerminal()
    const sender = startSend('--retry', '0', source, address)
    await terminal.shows('Take them from')
    terminal.type('\u0003')
    expect(await terminal.ended).toBe(130)
    expect((await sender.ended).code).not.toBe(0)
    expect(await readdir(inbox)).toEqual([])
  })
})

describe('the progress of a file', () => {
  it('is told with the speed of the last moments and the time that is left', () => {
    let now = 0
    const meter = new ProgressMeter(() => now)
    meter.note({ name: 'video.mp4', size: 2_000_000, at: 0 })
    expect(meter.text()).toBe('video.mp4  [                    ]  0%  0 B of 2.0 MB')
    now = 1_000
    meter.note({ name: 'video.mp4', size: 2_000_000, at: 1_000_000 })
    expect(meter.text()).toBe('video.mp4  [==========          ]  50%  1.0 MB of 2.0 MB  1.0 MB/s  0:01')
    meter.note({ name: 'a name that is longer than a line bears.mp4', size: 0, at: 0 })
    expect(meter.text()).toBe('…an a line bears.mp4  [====================]  100%  0 B of 0 B')
  })
})

async function receiveOnTerminal(flags = '') {
  const folder = temporaryFolder()
  const [inbox, source, addressFile] = [
    join(folder, 'inbox'),
    join(folder, 'source.bin'),
    join(folder, 'address'),
  ]
  await makeFile(source, 3_000_000)
  await chmod(source, 0o755)
  const command = `stty columns 100; '${process.execPath}' '${programFile}' receive '${inbox}' --net 0 --address-file '${addressFile}' ${flags}`
  const terminal = openTerminal(command)
  await terminal.shows('Listening')
  return { terminal, inbox, source, address: (await readFile(addressFile, 'utf8')).trim() }
}
