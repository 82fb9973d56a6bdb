import type { Contestant } from '../contestant.ts'

/** A program of `bench/rivals`, whose libraries are in `bench/node_modules` and in nobody else's. */
export function rival(name: string): Contestant {
  return {
    serve: async (...args) => (await load(name)).serve(...args),
    dial: async (...args) => (await load(name)).dial(...args),
  }
}

/** One that is written for pages. */
export function pageRival(name: string, introducer: string): Contestant {
  const inPage = async () => {
    await load('node-as-page')
    return load(name)
  }
  return {
    introduce: introduceBy(introducer),
    serve: async (...args) => (await inPage()).serve(...args),
    dial: async (...args) => (await inPage()).dial(...args),
  }
}

/** `introduce` of a program of `bench/rivals`. */
export function introduceBy(name: string): () => Promise<string> {
  return async () => (await load(name)).introduce?.() ?? ''
}

function load(name: string): Promise<Contestant> {
  return import(new URL(`../../../bench/rivals/${name}.mjs`, import.meta.url).href) as Promise<Contestant>
}
