import OmniAPI
import Testing

@testable import OmniAnswerSchema

@Suite("Schemas of answers")
struct AnswerSchemaTests {
    private func unread(_ schema: String) throws -> [String] {
        AnswerSchema.unread(in: try #require(try JSONValue.parse(schema).objectValue))
    }

    @Test("what a grammar follows is not named, and neither is what only describes")
    func followed() throws {
        let named = try unread(
            #"""
            {"$schema": "x", "title": "T", "type": "object", "required": ["a"], "additionalProperties": false, "$defs": {"d": {"type": "string", "maxLength": 3}},
             "properties": {
               "a": {"type": "string", "pattern": "^\\d+$", "description": "d", "default": "1"}, "b": {"type": "integer", "minimum": 1, "exclusiveMaximum": 9},
               "c": {"type": "array", "items": {"$ref": "#/$defs/d"}, "minItems": 1, "maxItems": 2}, "d": {"enum": [1, 2]}, "e": {"type": ["string", "null"], "format": "date"},
               "f": {"anyOf": [{"type": "number"}, {"type": "null"}]}, "g": {"prefixItems": [{"type": "null"}], "minItems": 1, "maxItems": 1}, "pattern": {"const": {"not": 1}}}}
            """#)
        #expect(named == [])
    }

    @Test(
        "what would have no effect is named by its path",
        arguments: [
            (#"{"type":"number","minimum":0}"#, ["minimum"]),
            (
                #"{"type":"object","properties":{"age":{"type":"integer","multipleOf":5}},"minProperties":1}"#,
                ["minProperties", "properties.age.multipleOf"]
            ),
            (#"{"type":"string","format":"email"}"#, ["format"]),
            (#"{"type":"string","pattern":"^a$","minLength":1}"#, ["minLength"]),
            (#"{"type":"string","pattern":"(?=a)","minLength":1}"#, ["pattern"]),
            (#"{"type":"array","items":{"type":"array","uniqueItems":true}}"#, ["items.uniqueItems"]),
            (#"{"anyOf":[{"type":"boolean"},{"type":"null","nullable":true}],"not":{}}"#, ["not"]),
            (##"{"$ref":"#/$defs/a","$defs":{"a":{"type":"object","patternProperties":{}}}}"##, ["$defs.a.patternProperties"]),
            (#"{"type":["integer","string"],"minimum":1,"maxLength":2,"if":{}}"#, ["if"]),
            (#"{"prefixItems":[{"type":"null"}],"maxItems":4}"#, ["maxItems"]),
        ])
    func named(schema: String, names: [String]) throws {
        let found = try unread(schema)
        #expect(found == names)
    }

    @Test("the keywords of all schemas of a request, each by its path")
    func ofRequests() throws {
        let json = try JSONValue.parse(
            #"""
            {"messages": [{"role": "user", "content": "x"}], "colour": 1,
             "response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "number", "minimum": 0}}},
             "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {"x": {"type": "string", "format": "uri"}}}}}]}
            """#)
        let chat = try ChatCompletionRequest(json: json)
        #expect(
            chat.keywordsWithoutEffect == ["response_format.json_schema.schema.minimum", "tools.0.function.parameters.properties.x.format"])
    }

    @Test(
        "what is no regular expression is refused as such",
        arguments: [
            "(", ")", "^(a$", "[a", "[a\\]", "*a", "a\\", "a(+)", "[z-a]", "a{3,1}", "\\x4", "\\u12", "^a**$", "[a-\\d]",
        ])
    func invalid(pattern: String) {
        let fault = #expect(throws: SchemaPattern.Fault.self) { _ = try SchemaPattern(pattern) }
        guard case .invalid = fault else { return #expect(Bool(false), "\(fault as Any)") }
    }

    @Test(
        "what a grammar cannot follow is refused as that",
        arguments: ["(?=a)", "(?!a)", "(?<=a)", "\\bword\\b", "(a)\\1", "\\p{L}", "a^b", "(^a$)", "[]", "\\x01"])
    func unsupported(pattern: String) {
        let fault = #expect(throws: SchemaPattern.Fault.self) { _ = try SchemaPattern(pattern) }
        guard case .unsupported = fault else { return #expect(Bool(false), "\(fault as Any)") }
    }

    @Test("patterns of an answer's form must be followed, those of tools may be left out")
    func lenience() throws {
        func schema(_ pattern: String) -> JSONObject {
            JSONObject([("properties", ["x": ["type": "string", "pattern": .string(pattern)]])])
        }
        func tool(_ pattern: String) -> Tool {
            var tool = Tool()
            tool.function.parameters = schema(pattern)
            return tool
        }
        for pattern in ["(", "(?=a)"] {
            let error = #expect(throws: APIError.self) { _ = try ResponseFormat.jsonSchema(name: "a", schema: schema(pattern)).followed() }
            #expect(error?.status == 400 && error?.param == "body.response_format")
            #expect(error?.message.contains("`\(pattern)`") == true && error?.message.contains("properties/x") == true)
        }
        let error = #expect(throws: APIError.self) { _ = try tool("(").followed() }
        #expect(error?.status == 400 && error?.param == "body.tools")
        #expect(try tool("(?=a)").followed().function.parameters?["properties"]?["x"] == ["type": "string"])
    }

    @Test("a constant that looks like a schema stays as it is")
    func constants() throws {
        let schema = JSONObject([("const", ["pattern": "("]), ("examples", [["pattern": "("]])])
        #expect(try schema.withFollowedPatterns(parameter: "p", isLenient: false) == schema)
    }
}
