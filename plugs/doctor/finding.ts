/** What was asked, in the order in which they are answered. */
export type FindingName =
  | 'hub'
  | 'registration'
  | 'webrtc'
  | 'udp'
  | 'address'
  | 'mapping'
  | 'filtering'
  | 'turn-udp'
  | 'turn-tcp'
  | 'turn-tls'
  | 'relay'
  | 'direct'

export interface Finding {
  readonly name: FindingName
  /** `yes` is always the good news; `unknown` when it was not found out, and `words` say why. */
  readonly state: 'yes' | 'no' | 'unknown'
  /** One sentence, for people. */
  readonly words: string
  /** What could be done about it, where something can. */
  readonly remedy?: string | undefined
  /** The figures behind it, as JSON has them. */
  readonly details: Readonly<Record<string, unknown>>
}

/** RFC 4787, sections 4.1 and 5; `none` is no NAT. The dependent mappings are not told apart: to peers they are alike. */
export type Mapping = 'none' | 'endpoint-independent' | 'dependent'
export type Filtering = 'endpoint-independent' | 'address-dependent' | 'address-and-port-dependent'
