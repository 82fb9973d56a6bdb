import { wasmNoiseCrypto, type NoiseCrypto } from '../core/noise.ts'

/** Browsers have WebAssembly for what their WebCrypto lacks. */
export function loadNoiseCrypto(): NoiseCrypto {
  return wasmNoiseCrypto
}
