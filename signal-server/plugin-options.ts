import type { FastifyInstance } from 'fastify'
import type { Access } from './authorization.ts'
import type { Cluster } from './cluster/cluster.ts'
import type { Health } from './health.ts'
import type { HubLimits } from './limits.ts'
import type { IceServersOptions } from './turn.ts'

export interface HubPluginOptions extends IceServersOptions {
  /**
   * The URLs that peers dial this hub by, for example `wss://hub.example.com`: a registration is signed for one
   * of them. Without any, the hub is for this machine only and refuses to listen on anything but loopback.
   */
  hubNames?: readonly string[] | undefined
  /** In place of some of the defaults. */
  limits?: Partial<Record<keyof HubLimits, number | undefined>> | undefined
  /** Origins that pages may come from. @default any; for a hub of this machine, pages of this machine */
  origins?: readonly string[] | undefined
  /** Whether what is limited per address is not limited for loopback. @default false */
  exemptLoopback?: boolean | undefined
  /** Whether `GET /peers` shows the records of those who asked for that. @default false */
  listing?: boolean | undefined
  /**
   * Whether peers that have no better way yet may send their bytes through this hub, within its limits. Nothing of
   * them can be read here. @default false; of `startHub`, true
   */
  relay?: boolean | undefined
  /** Makes this hub one of several, for example `redis('redis://127.0.0.1')`. @default alone */
  cluster?: Cluster | undefined
  /** In a cluster: the URL of this very hub, not of what balances the load before all. */
  nodeUrl?: string | undefined
  /** A directory with an `index.html` to be served beside the hub. */
  page?: string | undefined
  /**
   * Whether the hub is measured, and for whom `/metrics` is there, in Prometheus's format: `true` is for everyone who
   * reaches the hub, `{ token }` for who sends it as `Authorization: Bearer`. @default false
   */
  metrics?: Access | undefined
  /**
   * For whom `/status` is there, a page with the last ten minutes of the hub in charts: `true` is for everyone who
   * reaches the hub, `{ token }` for who gives it as the password of any user (HTTP Basic, which browsers ask for) or as
   * `Authorization: Bearer`. @default false; of `startHub` for a hub of this machine: true
   */
  status?: Access | undefined
  /** What `/readyz` says; with one of your own you can be not ready before you close. */
  health?: Health | undefined
  /** Adds routes and hooks of your own beside the hub's, behind its gate for hosts and origins. Called once. */
  extend?: ((app: FastifyInstance) => unknown) | undefined
  /** Where the hub is in the app, for example `/hub`. @default '' */
  prefix?: string | undefined
}
