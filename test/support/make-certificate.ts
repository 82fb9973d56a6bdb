import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { X509Certificate } from 'node:crypto'

export interface MadeCertificate {
  cert: Buffer
  key: Buffer
  /** By which it is told from others. */
  fingerprint: string
}

/** A self-signed certificate for localhost in `folder`, by openssl; every call makes another. */
export function makeCertificate(folder: string): MadeCertificate {
  const [certFile, keyFile] = [`${folder}/made.crt`, `${folder}/made.key`]
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  const names = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1']
  const files = ['-out', certFile, '-keyout', keyFile]
  execFileSync('openssl', ['req', '-x509', '-days', '2', ...curve, ...names, ...files], { stdio: 'ignore' })
  const [cert, key] = [readFileSync(certFile), readFileSync(keyFile)]
  return { cert, key, fingerprint: new X509Certificate(cert).fingerprint256 }
}
