#!/usr/bin/env node
/** The command line: `larder rules` and `larder dashboard` print JSON. `larder --help` lists the options. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Effect from "effect/Effect"
import { command } from "./internal/command.ts"

NodeRuntime.runMain(Effect.provide(command, NodeServices.layer))
