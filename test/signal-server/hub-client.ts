/** The peer of the load generator: one way to speak to a hub in tests and loads. */
export * from '../../bench/hub/hub-client.ts'
