/** Disks of a size, where this process may mount one. */
import * as Effect from "effect/Effect"
import { spawnSync } from "node:child_process"
import * as fs from "node:fs"
import { temporaryFolder } from "./files.ts"

/** A disk of so many KiB, where this process may have one. */
export const canMount = process.platform === "linux" && process.getuid?.() === 0
export const disk = (kibibytes: number) =>
  Effect.acquireRelease(
    Effect.map(temporaryFolder, (folder) => {
      const size = `size=${kibibytes}k`
      const done = spawnSync("mount", ["-t", "tmpfs", "-o", size, "tmpfs", folder])
      return { folder, mounted: done.status === 0 }
    }),
    ({ folder, mounted }) => Effect.sync(() => mounted && spawnSync("umount", ["-l", folder])),
  )

/** Fills the disk with another application's file; `left` bytes stay free. */
export const fill = (folder: string, left = 0): { readonly free: () => void } => {
  const name = `${folder}/theirs`
  const { bavail, bsize } = fs.statfsSync(folder)
  fs.writeFileSync(name, Buffer.alloc(Math.max(0, bavail * bsize - left), 1))
  return { free: () => fs.rmSync(name) }
}
