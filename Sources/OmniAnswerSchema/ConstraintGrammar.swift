import OmniAPI

extension AnswerConstraint {
    /// The same form as a grammar in GBNF. Throws ``APIError`` (400) for a regular expression that no grammar can follow.
    func followed() throws -> AnswerConstraint {
        switch kind {
        case .grammar: return self
        case .choice(let answers):
            return AnswerConstraint(.grammar("root ::= " + answers.map(Self.literal).joined(separator: " | ")), field: field)
        case .regex(let pattern):
            do throws(SchemaPattern.Fault) {
                return AnswerConstraint(.grammar("root ::= " + (try SchemaPattern.grammar(ofWhole: pattern))), field: field)
            } catch {
                throw APIError.invalid("body.\(field)", "The pattern `\(pattern)` \(error.description).")
            }
        }
    }

    private static func literal(_ text: String) -> String {
        "\"" + text.unicodeScalars.map { CharacterRanges.escaped($0.value) }.joined() + "\""
    }
}
