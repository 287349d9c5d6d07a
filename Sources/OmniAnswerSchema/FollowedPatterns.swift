import OmniAPI

extension JSONObject {
    /// A JSON Schema with every `pattern` written as the grammar converter follows it. Throws ``APIError``, blaming `parameter`,
    /// for one that is no regular expression. One that no grammar can follow is an error too, unless `isLenient`: then it is
    /// left out, as ``AnswerSchema`` tells the client.
    func withFollowedPatterns(parameter: String, isLenient: Bool, path: String = "") throws -> JSONObject {
        var schema = self
        func followed(_ inner: JSONValue, _ path: String, isNamed: Bool = false) throws -> JSONValue {
            guard case .object(var inner) = inner else { return inner }
            if isNamed {
                // Its keys are names, and no keywords.
                for (name, child) in inner.members { inner[name] = try followed(child, "\(path)/\(name)") }
                return .object(inner)
            }
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
                        throw APIError.invalid(
                            parameter, "The pattern `\(text)` of \(path.isEmpty ? "the schema" : "`\(path)`") \(error.description).")
                    }
                }
            case .object: schema[key] = try followed(value, "\(path)/\(key)", isNamed: Self.named.contains(key))
            case .array(let list): schema[key] = .array(try list.enumerated().map { try followed($1, "\(path)/\(key)/\($0)") })
            default: break
            }
        }
        return schema
    }

    /// Keywords whose values are data, not schemas.
    private static let named: Set<String> = ["properties", "$defs", "definitions", "patternProperties"]
    private static let data: Set<String> = ["const", "enum", "default", "example", "examples"]
}

extension ResponseFormat {
    /// The same form as the engine follows it: its schema in the dialect of the converter, all else as a grammar. Throws 400 for one that it cannot.
    package func followed() throws -> ResponseFormat {
        if let constraint { return .constrained(try constraint.followed()) }
        guard case .jsonSchema(let name, let schema) = self else { return self }
        let patterned = try schema.withFollowedPatterns(parameter: "body.response_format", isLenient: false)
        do throws(FollowedSchema.Fault) {
            return .jsonSchema(name: name, schema: try FollowedSchema.of(patterned))
        } catch {
            throw APIError.invalid("body.response_format", "The JSON schema cannot be followed: \(error.reason).")
        }
    }
}

extension Tool {
    /// The same tool with its parameters as the engine follows them; `place` tells its definitions from those of other tools. Throws 400
    /// for parameters that it cannot follow.
    package func followed(place: Int = 0) throws -> Tool {
        var tool = self
        guard var parameters = try function.parameters?.withFollowedPatterns(parameter: "body.tools", isLenient: true) else { return tool }
        if !parameters.hasKind { parameters["type"] = "object" }
        do throws(FollowedSchema.Fault) {
            tool.function.parameters = try FollowedSchema.of(parameters, prefix: "t\(place)_")
        } catch {
            throw APIError.invalid("body.tools", "The parameters of the tool `\(function.name)` cannot be followed: \(error.reason).")
        }
        return tool
    }
}
