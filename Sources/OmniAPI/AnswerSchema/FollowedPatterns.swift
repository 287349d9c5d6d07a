extension JSONObject {
    /// A JSON Schema with every `pattern` written as the grammar converter follows it. Throws ``APIError``, blaming `parameter`,
    /// for one that is no regular expression. One that no grammar can follow is an error too, unless `isLenient`: then it is
    /// left out, as ``AnswerSchema`` tells the client.
    func withFollowedPatterns(parameter: String, isLenient: Bool, path: String = "") throws -> JSONObject {
        var schema = self
        func followed(_ inner: JSONValue, _ path: String) throws -> JSONValue {
            guard case .object(let inner) = inner else { return inner }
            return .object(try inner.withFollowedPatterns(parameter: parameter, isLenient: isLenient, path: path))
        }
        for (key, value) in members where !Self.data.contains(key) {
            switch value {
            case .string(let text) where key == "pattern":
                do throws(SchemaPattern.Fault) {
                    schema[key] = .string(try SchemaPattern(text).converted)
                } catch {
                    if isLenient, case .unsupported = error {
                        schema[key] = nil
                    } else {
                        throw APIError.invalid(parameter, "The pattern `\(text)` of \(path.isEmpty ? "the schema" : "`\(path)`") \(error.description).")
                    }
                }
            case .object: schema[key] = try followed(value, "\(path)/\(key)")
            case .array(let list): schema[key] = .array(try list.enumerated().map { try followed($1, "\(path)/\(key)/\($0)") })
            default: break
            }
        }
        return schema
    }

    /// Keywords whose values are data, not schemas.
    private static let data: Set<String> = ["const", "enum", "default", "example", "examples"]
}

extension ResponseFormat {
    /// The same form with its patterns as the engine follows them. Throws 400 for one that it cannot.
    public func withFollowedPatterns() throws -> ResponseFormat {
        guard case .jsonSchema(let name, let schema) = self else { return self }
        return .jsonSchema(name: name, schema: try schema.withFollowedPatterns(parameter: "body.response_format", isLenient: false))
    }
}

extension Tool {
    /// The same tool with its patterns as the engine follows them. Throws 400 for one that is no regular expression.
    public func withFollowedPatterns() throws -> Tool {
        var tool = self
        tool.function.parameters = try function.parameters?.withFollowedPatterns(parameter: "body.tools", isLenient: true)
        return tool
    }
}
