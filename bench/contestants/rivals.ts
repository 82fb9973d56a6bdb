import type { Contestant } from '../contestant.ts'

/** A program of `bench/rivals`, whose libraries are in `bench/node_modules` and in nobody else's. */
export function rival(name: string): Promise<Contestant> {
  return import(new URL(`../../../bench/rivals/${name}.mjs`, import.meta.url).href) as Promise<Contestant>
}

/** One that is written for pages, which Node has to look like. */
export async function pageRival(name: string, introducer: string): Promise<Contestant> {
  await rival('node-as-page')
  return { ...(await rival(name)), introduce: introduceBy(introducer) }
}

/** `introduce` of a program of `bench/rivals`, which is loaded by whoever needs it only. */
export function introduceBy(name: string): () => Promise<string> {
  return async () => (await rival(name)).introduce?.() ?? ''
}
