// Goal: the check that every container of a test run is held against finds what it is there to find.
import t from 'tap'
import { createDocument } from '../../../server/engine/docker-containers.js'
import { seccompProfile } from '../../../server/engine/seccomp.js'
import { deviations, type InspectDocument, probeRights } from '../../support/profile.js'

/** As the engine would show what we ask it for. */
function shown(change: Record<string, unknown> = {}, config: Record<string, unknown> = {}): InspectDocument {
  const made = createDocument({
    name: 'x',
    image: 'x',
    labels: { 'paas.instance': 'x', 'paas.kind': 'dyno' },
    network: [{ network: 'x-dynos' }],
    ...probeRights,
    user: '59419:59419',
  })
  const defaults = {
    Privileged: false,
    PublishAllPorts: false,
    IpcMode: 'private',
    ShmSize: 64 * 1024 ** 2,
    MaskedPaths: ['/proc/acpi', '/proc/kcore', '/proc/keys', '/proc/timer_list', '/proc/scsi', '/sys/firmware'],
    ReadonlyPaths: ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'],
  }
  return {
    Name: '/x',
    Config: { User: made.User ?? '', Labels: made.Labels ?? {}, ...config },
    HostConfig: { ...defaults, ...made.HostConfig, ...change },
  } as InspectDocument
}

t.test('what the engine is asked for is as it must be', (t) => {
  t.strictSame(deviations(shown()), [])
  t.end()
})

const wrong: readonly (readonly [what: RegExp, change: Record<string, unknown>])[] = [
  [/privileged/, { Privileged: true }],
  [/CapDrop/, { CapDrop: [] }],
  [/CapAdd is NET_RAW/, { CapAdd: ['NET_RAW'] }],
  [/new privileges/, { SecurityOpt: [`seccomp=${seccompProfile}`] }],
  [/system call filter/, { SecurityOpt: ['no-new-privileges'] }],
  [/system call filter/, { SecurityOpt: ['no-new-privileges', 'seccomp=unconfined'] }],
  [/memory/, { Memory: 0, MemorySwap: 0, ShmSize: 0 }],
  [/memory/, { MemorySwap: -1 }],
  [/PidsLimit/, { PidsLimit: null }],
  [/CPU/, { NanoCpus: 0 }],
  [/open files/, { Ulimits: [{ Name: 'core', Soft: 0, Hard: 0 }] }],
  [/network is host/, { NetworkMode: 'host' }],
  [/default bridge/, { NetworkMode: 'default' }],
  [/name space/, { PidMode: 'host' }],
  [/IpcMode/, { IpcMode: 'host' }],
  [/CgroupnsMode/, { CgroupnsMode: 'host' }],
  [/devices/, { Devices: [{ PathOnHost: '/dev/kvm' }] }],
  [/publishes/, { PortBindings: { '80/tcp': [{ HostPort: '80' }] } }],
  [/mounts are \/var\/run\/docker\.sock/, { Binds: ['/var/run/docker.sock:/var/run/docker.sock'] }],
  [/mounts are/, { Binds: ['/bundle.pem:/etc/paas-ca-bundle.pem'] }],
  [/log has no limit/, { LogConfig: { Type: 'json-file', Config: {} } }],
  [/tmpfs without a size/, { Tmpfs: { '/tmp': '' } }],
  [/restart policy/, { RestartPolicy: { Name: 'always', MaximumRetryCount: 0 } }],
  [/paths of \/proc/, { MaskedPaths: null }],
  [/ReadonlyRootfs/, { ReadonlyRootfs: true }],
]

for (const [what, change] of wrong)
  t.test(`a container with ${JSON.stringify(change).slice(0, 60)} deviates`, (t) => {
    const found = deviations(shown(change))
    t.equal(found.length, 1, found.join('\n'))
    t.match(found[0], what)
    t.end()
  })

t.test('a user that is root, and a kind that nobody knows, deviate', (t) => {
  t.match(deviations(shown({}, { User: '' })), [/user is ''/])
  t.match(deviations(shown({}, { Labels: { 'paas.kind': 'helper' } })), [/'helper' is no kind/])
  t.end()
})

t.test('the filter of system calls lets apps run and leaves out what only attackers want', (t) => {
  const profile = JSON.parse(seccompProfile) as { syscalls: { names: string[]; action: string; args?: unknown }[] }
  const allowed = new Set(
    profile.syscalls.filter((r) => r.action === 'SCMP_ACT_ALLOW' && r.args === undefined).flatMap((r) => r.names),
  )
  for (const name of ['read', 'execve', 'futex', 'epoll_wait', 'openat2', 'statx', 'memfd_create', 'chroot'])
    t.ok(allowed.has(name), name)
  for (const name of 'mount unshare setns bpf keyctl add_key userfaultfd io_uring_setup perf_event_open clone clone3 socket init_module kexec_load reboot open_by_handle_at pidfd_getfd'.split(
    ' ',
  ))
    t.notOk(allowed.has(name), name)
  const named = profile.syscalls.filter((r) => r.args === undefined).flatMap((r) => r.names)
  t.equal(new Set(named).size, named.length, 'each once')
  t.end()
})
