/** The CLI's version: that of package.json, which a test holds. */
export const version = '0.1.0'
