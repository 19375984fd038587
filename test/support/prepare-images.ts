/** Builds the images the tests need, before any test's clock runs. */
import { createDockerEngine } from '../../server/engine/docker-engine.js'
import { testImages } from './world.js'

const engine = createDockerEngine({ socketPath: process.env.PAAS_ENGINE_SOCKET ?? '/var/run/docker.sock' })
console.log(JSON.stringify(await testImages(engine)))
