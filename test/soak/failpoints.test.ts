// Every failpoint of the control plane, one after the other; names of groups as arguments run only those.
import { walkFailpoints } from '../crash/walk.js'

walkFailpoints({ oneOf: 1 })
