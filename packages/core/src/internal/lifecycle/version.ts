/** The version of `@larder/core`, as in package.json, which a bundler may not find at run time. */
export const version = "0.1.0"
