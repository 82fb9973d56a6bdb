import { createHash, randomBytes } from 'node:crypto'
import { expect, it } from 'vitest'
import { lobbyWords } from './demo-page.ts'
import type { Site } from './demo-suite.ts'

/** What a story needs of the page that it is played on, whatever drives the browser. */
export interface StoryPage {
  /** Presses the button of a story. @returns what happened, in words, once it went well and `lastWords` are among them */
  play(title: string, button: string, lastWords: string): Promise<string>
  /** Opens the talk with a peer. */
  choose(name: string): Promise<void>
  say(to: string, text: string): Promise<void>
  sendFile(name: string, bytes: Buffer): Promise<void>
  /** Resolves once it can be read on the page, be it within more words. */
  see(text: string): Promise<void>
  /** Resolves once what `selector` selects can be seen. */
  find(selector: string): Promise<void>
  press(text: string): Promise<void>
  texts(selector: string): Promise<string[]>
}

/**
 * The stories behind the buttons of the page, as tests.
 *
 * @param page is there, in the lobby, once the tests run
 */
export function describeStories(site: Site, page: () => StoryPage): void {
  it('lets one come with a wrong key, and be refused', async () => {
    const words = await page().play('Come with the wrong key', 'Knock', 'has not learned who knocked')
    expect(words).toMatch(/Refused: (HANDSHAKE_FAILED|WRONG_KEY)\. In words: /)
  })

  it('cuts the direct path, and the chat goes on over the relay until direct paths are let through', async () => {
    const cut = await page().play('Cut the direct path', 'Cut it', 'The desktop has answered')
    expect(cut).toContain('over the hub’s relay')
    await page().choose('desktop')
    await page().say('desktop', 'Still there?')
    await page().see(
      "You said ‘Still there?’. I am the desktop, and it came over WebRTC (rtc), through the hub's relay.",
    )
    await page().find('.node[aria-label^="desktop, connected over rtc, by the relay"]')
    const bytes = randomBytes(3 * 1024 * 1024)
    await page().sendFile('relayed.bin', bytes)
    await page().see(`SHA-256 ${createHash('sha256').update(bytes).digest('hex')}`)
    await page().play('Cut the direct path', 'Let direct paths through', 'the desktop is reached by one')
    await page().find('.node[aria-label^="desktop, connected over rtc, direct"]')
  })

  it('restarts the hub under a running transfer, which does not notice', async () => {
    const words = await page().play('Restart the hub', 'Send and restart', 'both ends have the same SHA-256')
    expect(words).toMatch(/The hub is gone[^]*The hub is back/)
    expect(site.demo.output()).toContain('Somebody at the page wants to see me restart')
    // And everyone is where they were.
    await page().see(lobbyWords)
  })

  it('upgrades the desktop from shs to shs2, which who dials again gets', async () => {
    await page().choose('desktop')
    await page().find('.strength-shs')
    const words = await page().play('Upgrade a peer', 'Upgrade it', 'so this connection is shs2')
    expect(words).toContain('serves shs2 beside shs')
    await page().see('shs2: Noise with ML-KEM-768')
    await page().press('Its address')
    await page().find('.address li')
    expect(await page().texts('.address li')).toEqual([
      expect.stringContaining('~shs:'),
      expect.stringContaining('~shs2:'),
    ])
    expect(site.demo.output()).toContain('I serve shs2 beside shs now.')
  })
}
