import type { Link } from './contestant.ts'
import { entrant } from './entrants.ts'
import type { Role } from './roles.ts'

/** One end in a process of its own: `worker NAME serve [INTRODUCER]`, or `worker NAME ROLE ADDRESS AMOUNT CHUNK_BYTES`. */
const [name = '', role = '', address = '', amount = '0', chunkBytes = '65536'] = process.argv.slice(2)
if (process.send === undefined) throw new Error('this is run by bench/main.js')

/** What a server has for tidying up before it is gone all the same. */
const closingMs = 300

// A parent that is gone wants nothing any more.
process.on('disconnect', () => process.exit())

const listeners: ((message: unknown) => void)[] = []
const early: unknown[] = []
process.on('message', (message: { link?: unknown }) => {
  if (!('link' in message)) return
  if (listeners.length === 0) early.push(message.link)
  for (const listener of listeners) listener(message.link)
})
const link: Link = {
  send: (message) => process.send?.({ link: message }),
  onMessage(listener) {
    listeners.push(listener)
    for (const message of early.splice(0)) listener(message)
  },
}

try {
  if (role === 'serve') await serve()
  else await perform(role as Role)
} catch (error) {
  await report({ failed: error instanceof Error ? error.message : String(error) })
  process.exit(1)
}

async function serve(): Promise<void> {
  const serving = await (await entrant(name)).serve(link, address)
  process.once('SIGTERM', () => {
    setTimeout(() => process.exit(), closingMs)
    void serving.close().finally(() => process.exit())
  })
  process.on('message', (message: { measure?: boolean }) => {
    if (message.measure === true) void report({ rss: memoryNow() })
  })
  await report({ address: serving.address })
}

async function perform(wanted: Role): Promise<void> {
  const order = { role: wanted, address, amount: Number(amount), chunkBytes: Number(chunkBytes) }
  const end = await entrant(name)
  // To load a library is no cost of its bytes.
  const loaded = process.cpuUsage()
  const figures = await end.perform(order, link)
  const { user, system } = process.cpuUsage(loaded)
  await report({ figures, cpuMs: (user + system) / 1000 })
  // Those who hold connections do so until they are ended.
  if (!wanted.startsWith('hold')) process.exit()
}

/** Resolves when the parent's end of the channel has it. */
function report(message: object): Promise<void> {
  return new Promise((resolve) => process.send?.(message, () => resolve()))
}

/** Resident bytes after a collection. */
function memoryNow(): number {
  // What the first collection finds dead may hold memory outside of the heap, which the second one frees.
  for (const _ of [1, 2]) globalThis.gc?.()
  return process.memoryUsage().rss
}
