import type { Config } from '../../config.js'
import type { App } from '../../model/app.js'
import type { Domain } from '../../model/domain.js'
import type { Slug } from '../../model/slug.js'
import { appHostname, gitUrl, webUrl } from '../addresses.js'
import type { AppBody } from '../schemas/apps.js'
import type { CollaboratorBody, DomainBody } from '../schemas/platform.js'
import { regionRef, stackRef } from './catalogue.js'
import { stableId } from './stable-id.js'

/** The part of an app that other resources show. */
export function appRef(app: Pick<App, 'id' | 'name'>) {
  return { id: app.id, name: app.name }
}

/** `slug` is the current release's; a list leaves it out rather than ask for each. */
export function toApp(app: App, config: Config, slug?: Slug): AppBody {
  return {
    id: app.id,
    name: app.name,
    acm: false,
    archived_at: null,
    build_stack: stackRef(),
    buildpack_provided_description: slug?.buildpacks.at(-1) ?? null,
    create_status: 'complete',
    created_at: app.createdAt.toISOString(),
    git_url: gitUrl(config, app.name),
    internal_routing: null,
    maintenance: app.maintenance,
    organization: null,
    owner: { id: app.ownerId, email: app.ownerEmail },
    process_tier: 'production',
    region: regionRef(),
    released_at: app.releasedAt?.toISOString() ?? null,
    repo_size: null,
    slug_size: slug?.sizeBytes ?? null,
    space: null,
    stack: stackRef(slug?.stack),
    team: null,
    updated_at: app.updatedAt.toISOString(),
    web_url: webUrl(config, app.name),
  }
}

/** A custom domain points to the app's own host name. */
export function toDomain(domain: Domain, app: App, config: Config): DomainBody {
  return {
    id: domain.id,
    acm_status: null,
    acm_status_reason: null,
    app: appRef(app),
    cname: appHostname(config, app.name),
    created_at: domain.createdAt.toISOString(),
    hostname: domain.hostname,
    kind: 'custom',
    sni_endpoint: null,
    status: 'succeeded',
    updated_at: domain.updatedAt.toISOString(),
  }
}

/** The host name that comes with the app. */
export function ownDomain(app: App, config: Config): DomainBody {
  return {
    id: stableId('domain', app.id),
    acm_status: null,
    acm_status_reason: null,
    app: appRef(app),
    cname: null,
    created_at: app.createdAt.toISOString(),
    hostname: appHostname(config, app.name),
    kind: 'heroku',
    sni_endpoint: null,
    status: 'succeeded',
    updated_at: app.updatedAt.toISOString(),
  }
}

const permissionWords = ['deploy', 'manage', 'operate', 'view'] as const

export function ownerAsCollaborator(app: App): CollaboratorBody {
  return {
    id: stableId('collaborator', app.id, app.ownerId),
    app: appRef(app),
    created_at: app.createdAt.toISOString(),
    permissions: permissionWords.map((name) => ({ name, description: `May ${name} the app` })),
    role: 'owner',
    updated_at: app.createdAt.toISOString(),
    user: { id: app.ownerId, email: app.ownerEmail, federated: false },
  }
}
