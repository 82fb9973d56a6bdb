#!/usr/bin/env node
import { runHub } from './program.ts'

await runHub('multiserver-hub', process.argv.slice(2), process.env)
