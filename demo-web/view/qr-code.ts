import { encode } from 'uqr'

const namespace = 'http://www.w3.org/2000/svg'

/** `text` as a QR code, drawn as one path. */
export function qrCode(text: string, label: string): SVGSVGElement {
  const { data, size } = encode(text, { border: 2 })
  const svg = document.createElementNS(namespace, 'svg')
  svg.setAttribute('viewBox', `0 0 ${size} ${size}`)
  svg.setAttribute('role', 'img')
  svg.setAttribute('aria-label', label)
  svg.setAttribute('shape-rendering', 'crispEdges')
  const path = document.createElementNS(namespace, 'path')
  const squares = data.flatMap((row, y) => row.map((isDark, x) => (isDark ? `M${x} ${y}h1v1h-1z` : '')))
  path.setAttribute('d', squares.join(''))
  path.setAttribute('fill', '#000')
  svg.append(path)
  return svg
}
