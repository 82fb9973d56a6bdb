import type { PeerKind } from '../../cli/demo/protocol.ts'

export type IconName = PeerKind | 'hub' | 'bridge' | 'room' | 'clip'

/** A drawing of 24 × 24, in the colour of the text around it; the text says what it is. */
export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
      <IconPaths name={name} />
    </svg>
  )
}

/** The same for inside of another drawing. */
export function IconPaths({ name }: { name: IconName }) {
  return <path class="icon-lines" d={lines[name]} />
}

const lines: Readonly<Record<IconName, string>> = {
  browser:
    'M5.5 4.5h13A2.5 2.5 0 0 1 21 7v10a2.5 2.5 0 0 1-2.5 2.5h-13A2.5 2.5 0 0 1 3 17V7a2.5 2.5 0 0 1 2.5-2.5zM3 9h18M6.2 6.8h.01M9 6.8h.01',
  desktop: 'M5 4h14a2 2 0 0 1 2 2v8a2 2 0 0 1-2 2H5a2 2 0 0 1-2-2V6a2 2 0 0 1 2-2zM12 16v4M8 20h8',
  server:
    'M6 3.5h12a2 2 0 0 1 2 2v3a2 2 0 0 1-2 2H6a2 2 0 0 1-2-2v-3a2 2 0 0 1 2-2zM6 13.5h12a2 2 0 0 1 2 2v3a2 2 0 0 1-2 2H6a2 2 0 0 1-2-2v-3a2 2 0 0 1 2-2zM7.5 7h.01M7.5 17h.01M11 7h5M11 17h5',
  veteran: 'M6 3h9l4 4v12a2 2 0 0 1-2 2H7a2 2 0 0 1-2-2V4a1 1 0 0 1 1-1zM8 3v5h6V3M8 21v-7h8v7',
  hub: 'M12 9.5a2.5 2.5 0 1 0 0 5 2.5 2.5 0 0 0 0-5zM12 9.5V4M12 14.5V20M9.5 12H4M14.5 12H20M10.2 10.2 6.5 6.5M13.8 13.8 17.5 17.500M13.8 10.200l3.7-3.700M10.2 13.8 6.5 17.5',
  bridge: 'M3 17V8M21 17V8M3 9c4 0 5 4 9 4s5-4 9-4M2 17h20M8 17v-4.800M16 17v-4.8',
  clip: 'M20 11.500l-8.2 8.200a5 5 0 0 1-7.1-7.100l8.5-8.500a3.3 3.3 0 0 1 4.7 4.700l-8.5 8.500a1.7 1.7 0 0 1-2.4-2.400l7.8-7.8',
  room: 'M4 5h11a2 2 0 0 1 2 2v5a2 2 0 0 1-2 2H9l-4 3.500V14H4a2 2 0 0 1-2-2V7a2 2 0 0 1 2-2zM20 9a2 2 0 0 1 2 2v5a2 2 0 0 1-2 2h-1v3l-3.5-3H12',
}
