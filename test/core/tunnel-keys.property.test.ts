import fc from 'fast-check'
import { expect, it } from 'vitest'
import { MultiserverError } from '../../core/errors.ts'
import { MultiServer, type StackInput } from '../../core/multiserver.ts'
import { keyBytes, keyText, stagedTransform, stagedTransport } from './staged.ts'
import type { Transform, Transport } from '../../core/types.ts'

/** A section that names a key: `shs` and `shs2` prove theirs, `tunnel` leads to whoever has its. */
type Named = readonly [name: 'shs' | 'shs2' | 'tunnel', key: number]

const alternatives = fc.array(
  fc.array(
    fc.tuple(
      fc.constantFrom<Named[0]>('shs', 'shs2', 'tunnel'),
      fc.oneof({ weight: 12, arbitrary: fc.constant(1) }, { weight: 1, arbitrary: fc.constantFrom(2, 3) }),
    ),
    { minLength: 1, maxLength: 6 },
  ),
  { minLength: 1, maxLength: 3 },
)

/**
 * Of an address with bridges: whom the transport is told of is the first key, what the connection proves and all
 * alternatives share is the last, and its strength is that of the last transform, however strong the bridge's is.
 */
it('knows the first key of an address from the last one', async () => {
  await fc.assert(
    fc.asyncProperty(alternatives, async (all) => {
      const told: (Uint8Array | undefined)[] = []
      const stacks = all.map((sections, index): StackInput => [
        transport(`t${index}`, told),
        ...sections.map(([name]) => transformOf(name)),
      ])
      const address = all
        .map((sections, index) =>
          [`t${index}:x`, ...sections.map(([name, key]) => `${name}:${keyText(key)}`)].join('~'),
        )
        .join(';')
      const result = await MultiServer(stacks)
        .client(address, { allowDowngrade: true })
        .catch((error: MultiserverError) => error)
      if (!isConsistent(all)) {
        expect(result).toMatchObject({ code: 'ADDRESS_INVALID' })
        return
      }
      if (result instanceof MultiserverError) throw result
      const strongest = Math.max(...all.map(strengthOf))
      const winner = all.find((sections) => strengthOf(sections) === strongest) ?? []
      const [first] = winner.filter(([name]) => name !== 'tunnel')
      expect(result.strength).toBe(strongest)
      expect(told[0]).toEqual(first && keyBytes(first[1]))
      const last = winner.at(-1)
      expect(result.remote).toEqual(last?.[0] === 'tunnel' ? undefined : last && keyBytes(last[1]))
      result.abort()
    }),
    { numRuns: 1000 },
  )
})

function isConsistent(all: readonly (readonly Named[])[]): boolean {
  const lasts = new Set(all.map((sections) => sections.at(-1)?.[1]))
  const areTunnelsRight = all.every((sections) =>
    sections.every(([name, key], index) => name !== 'tunnel' || key === (sections[index + 1]?.[1] ?? key)),
  )
  return lasts.size === 1 && areTunnelsRight
}

function strengthOf(sections: readonly Named[]): number {
  return { shs: 1, shs2: 2, tunnel: 0 }[sections.at(-1)?.[0] ?? 'tunnel']
}

function transport(name: string, told: (Uint8Array | undefined)[]): Transport {
  const staged = stagedTransport(name)
  return {
    ...staged,
    parse(section) {
      const target = staged.parse(section)
      return (
        target && {
          dial(context) {
            const dialing = target.dial(context)
            told.push(context.remoteKey)
            staged.dials.at(-1)?.connect()
            return dialing
          },
        }
      )
    },
  }
}

function transformOf(name: Named[0]): Transform {
  if (name !== 'tunnel') return stagedTransform(name, name === 'shs' ? 1 : 2)
  // As the real one: its section has a key that it does not prove.
  return {
    ...stagedTransform(name, 0),
    parse: (section) =>
      section.startsWith('tunnel:') ? { connect: (stream) => Promise.resolve({ stream }) } : null,
  }
}
