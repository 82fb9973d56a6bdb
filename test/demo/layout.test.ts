import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { hubId, type Network, type NetworkEdge } from '../../demo-web/model/network.ts'
import { overlap, roomOf, type Size } from '../../demo-web/view/graph/boxes.ts'
import { curveOf } from '../../demo-web/view/graph/curve.ts'
import { placeLabels, type DrawnEdge } from '../../demo-web/view/graph/edge-labels.ts'
import { Layout, type Picture } from '../../demo-web/view/graph/layout.ts'
import { nodeLabel } from '../../demo-web/view/graph/node-label.ts'

/** As wide as bold letters are. */
const measure = (text: string) => 7.5 * Array.from(text).length
const phone = { width: 358, height: 388 }
const wide = { width: 640, height: 414 }

describe('the drawing of the network', () => {
  it.each([
    ['on a phone', phone],
    ['on a wide screen', wide],
  ])('has every node and its name where nothing else is, %s', (_where, frame) => {
    fc.assert(
      fc.property(lobby(24), (network) => {
        const picture = draw(network, frame)
        expect(picture.rooms.size).toBe(network.nodes.length)
        expect(findCovered(picture)).toEqual([])
      }),
      { numRuns: 60 },
    )
  })

  it('is as large as its frame while there is room, and keeps the form of the frame when it grows', () => {
    const few = draw(networkOf(['server', 'desktop', 'veteran'], []), phone)
    expect(few).toMatchObject(phone)
    const names = Array.from({ length: 100 }, (_, index) => `peer ${index}`)
    const all = names.map((_name, index): [number, number] => [0, index])
    const many = draw(networkOf(names, all), phone)
    expect(findCovered(many)).toEqual([])
    expect(many.width).toBeGreaterThan(2 * phone.width)
    expect(many.width / many.height).toBeCloseTo(phone.width / phone.height)
  })

  it('shortens a name that has no room, and never this page’s own place', () => {
    const name = 'a name of somebody who likes long names'
    const { text, width } = nodeLabel({ name, isMe: false }, measure)
    expect(text).toMatch(/^a name of somebod…$/)
    expect(width).toBeLessThanOrEqual(136)
    expect(nodeLabel({ name, isMe: true }, measure).text).toBe('you')
    expect(nodeLabel({ name: '👩‍🚀'.repeat(40), isMe: false }, measure).width).toBeLessThanOrEqual(136)
  })
})

/** The nodes that stand on another, or partly outside. */
function findCovered({ width, height, rooms }: Picture): string[] {
  const boxes = [...rooms].map(([id, room]) => ({ id, ...roomOf(room) }))
  const isCovered = (box: (typeof boxes)[number]) =>
    Math.min(box.left, box.top, width - box.right, height - box.bottom) < -rounding ||
    boxes.some((other) => other !== box && overlap(box, other))
  return boxes.filter(isCovered).map(({ id }) => id)
}

const rounding = 1e-6

describe('the words of edges', () => {
  const edge = { ...networkOf(['a', 'b'], [[0, 1]]).edges[0], from: 'a', to: 'b' } as NetworkEdge
  const [a, b] = [
    { x: 0, y: 0 },
    { x: 200, y: 0 },
  ]
  const drawn = (changes: Partial<NetworkEdge>, middle = { x: 100, y: 100 }): DrawnEdge[] => {
    const changed = { ...edge, ...changes }
    const places = new Map(Object.entries({ a, b, middle }))
    const curve = curveOf(changed, places)
    return curve === undefined ? [] : [{ edge: changed, curve }]
  }

  it('stand on the edge, once for each way', () => {
    const edges = [
      ...drawn({ id: '1' }),
      ...drawn({ id: '2' }),
      ...drawn({ id: '3', over: 'ws', path: undefined, place: 1, siblings: 2 }),
    ]
    const labels = placeLabels(edges, [], measure)
    expect([...labels.keys()]).toEqual(['1', '3'])
    expect(labels.get('1')).toEqual({ text: 'rtc, direct', x: 100, y: 0 })
    expect(labels.get('3')).toMatchObject({ text: 'ws', x: 100, y: 17 })
  })

  it('stand on the first half of an edge that has a corner', () => {
    const [label] = placeLabels(drawn({ via: 'middle', path: 'relay' }), [], measure).values()
    expect(label).toEqual({ text: 'rtc, by the relay', x: 50, y: 50 })
  })

  it('give way to what is there, and are left out where nothing is free', () => {
    const box = { left: 80, top: -9, right: 120, bottom: 9 }
    const [label] = placeLabels(drawn({}), [box], () => 20).values()
    expect(label?.x).toBeLessThan(80 - 10)
    expect(placeLabels(drawn({}), [{ ...box, left: 0, right: 200 }], measure).size).toBe(0)
  })

  it('are not there while an end has no place', () => {
    expect(drawn({ to: 'nobody' })).toEqual([])
  })
})

function draw(network: Network, frame: Size): Picture {
  const layout = new Layout(() => true)
  const widths = new Map(network.nodes.map((node) => [node.id, nodeLabel(node, measure).width]))
  layout.arrange(network, (id) => widths.get(id) ?? 0, frame)
  return layout.picture.value
}

/** Up to so many peers with names of any length, linked as they like. */
function lobby(most: number): fc.Arbitrary<Network> {
  const peers = fc.array(fc.string({ maxLength: 24 }), { maxLength: most })
  const pairs = fc.array(fc.tuple(fc.nat(most), fc.nat(most)), { maxLength: 40 })
  return fc.tuple(peers, pairs).map(([names, links]) => networkOf(names, links))
}

function networkOf(names: readonly string[], pairs: readonly (readonly [number, number])[]): Network {
  const peers = names.map(
    (name, index) => ({ id: `${index}`, kind: 'browser', name, isMe: index === 0, behind: hubId }) as const,
  )
  const hub = { id: hubId, kind: 'hub', name: 'hub', isMe: false, behind: undefined } as const
  const linked = pairs.filter(([from, to]) => from !== to && Math.max(from, to) < names.length)
  const edges = linked.map(
    ([from, to], index) =>
      ({
        id: `${index}`,
        from: `${from}`,
        to: `${to}`,
        over: 'rtc',
        path: 'direct',
        strength: 2,
        bytesPerSecond: 0,
        via: undefined,
        isMine: false,
        siblings: 1,
        place: 0,
      }) as const,
  )
  return { nodes: [hub, ...peers], edges }
}
