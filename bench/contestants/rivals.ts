import type { Contestant } from '../contestant.ts'

/** A program of `bench/rivals`, whose libraries are in `bench/node_modules` and in nobody else's. */
export function rival(name: string): Contestant {
  const program = new URL(`../../../bench/rivals/${name}.mjs`, import.meta.url).href
  const load = () => import(program) as Promise<Contestant>
  return {
    serve: async (link) => (await load()).serve(link),
    dial: async (address, link) => (await load()).dial(address, link),
  }
}
