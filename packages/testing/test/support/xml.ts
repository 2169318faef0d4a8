/** Whether a text is well-formed XML, as far as the pictures of the kit use it. */

const declared = /^(amp|lt|gt|quot|apos|#\d+|#x[\da-fA-F]+);/

const textProblem = (text: string): string | undefined => {
  // eslint-disable-next-line no-control-regex -- these are no characters of XML
  if (/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/.test(text))
    return "a control character"
  if (!text.isWellFormed()) return "a lone surrogate"
  if (/[<>]/.test(text)) return `a bracket in ${text}`
  const wrong = text
    .split("&")
    .slice(1)
    .find((rest) => !declared.test(rest))
  return wrong === undefined ? undefined : `an entity in &${wrong}`
}

/** Why a text is not well-formed; undefined if it is. */
const problemOf = (xml: string): string | undefined => {
  const open: Array<string> = []
  const pattern = /<(\/?)([a-z][\w-]*)((?:\s+[\w:-]+="[^"<]*")*)\s*(\/?)>/gi
  let end = 0
  for (const match of xml.matchAll(pattern)) {
    const [whole, closes, name = "", attributes = "", empty] = match
    const problem = textProblem(xml.slice(end, match.index)) ?? textProblem(attributes)
    if (problem !== undefined) return problem
    end = match.index + whole.length
    if (closes === "/") {
      if (open.pop() !== name) return `an end of ${name} that was not open`
    } else if (empty !== "/") open.push(name)
    if (open.length === 0 && end < xml.trimEnd().length) return "more than one root"
  }
  if (open.length > 0) return `no end of ${open.join(", ")}`
  return end === xml.trimEnd().length ? undefined : "text after the root"
}

export const XMLValidator = { problemOf }
