import Foundation
import OmniAPI
import OmniAnswerSchema
import OmniLlama
import Testing

@testable import OmniText

/// Schemas as the clients write them (Tools/schemas/make_schemas.py), as the form of an answer and as the parameters of a tool.
@Suite("Schemas of real clients", .enabled(if: TestModel.isHere), .timeLimit(.minutes(10)))
struct ClientSchemaTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let name: String
        let schema: JSONObject
        let good: [JSONValue]
        let bad: [JSONValue]
        var testDescription: String { name }
    }

    static let cases: [Case] = {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().appending(
            path: "Fixtures/schemas")
        guard let data = try? Data(contentsOf: folder.appending(path: "clients.json")), let list = try? JSONValue.parse(data).arrayValue
        else { return [] }
        return list.map {
            Case(
                name: $0["name"]?.stringValue ?? "", schema: $0["schema"]?.objectValue ?? JSONObject(), good: $0["good"]?.arrayValue ?? [],
                bad: $0["bad"]?.arrayValue ?? [])
        }
    }()

    private func allows(_ text: String, _ specification: GrammarSpecification, _ vocabulary: Vocabulary) throws -> Bool {
        let grammar = try Grammar(specification, vocabulary: vocabulary)
        for token in vocabulary.tokenize(text, addSpecial: false, special: false) {
            guard grammar.allows(token), grammar.accept(token) else { return false }
        }
        return vocabulary.endTokens().contains { grammar.allows($0) }
    }

    /// Whether a grammar takes `answer` in some order of its members: a grammar has one, a schema none.
    private func allows(
        _ answer: JSONValue, in specification: GrammarSpecification, _ vocabulary: Vocabulary, within: (String) -> String = { $0 }
    ) throws -> Bool {
        guard let members = answer.objectValue?.members, members.count > 1, members.count < 5 else {
            return try allows(within(answer.jsonText), specification, vocabulary)
        }
        for order in permutations(members.count) {
            let ordered = JSONObject(order.map { (members[$0].key, members[$0].value) })
            if try allows(within(JSONValue.object(ordered).jsonText), specification, vocabulary) { return true }
        }
        return false
    }

    private func permutations(_ count: Int) -> [[Int]] {
        count <= 1
            ? [Array(0..<count)]
            : permutations(count - 1).flatMap { rest in
                (0..<count).map {
                    var order = rest; order.insert(count - 1, at: $0); return order
                }
            }
    }

    @Test("every schema is followed: answers that keep to it can be written, others cannot")
    func answers() async throws {
        #expect(Self.cases.count >= 200)
        let engine = try await TestModel.engine()
        for item in Self.cases {
            do {
                let format = try ResponseFormat.jsonSchema(name: "x", schema: item.schema).followed()
                let specification = try #require(try GrammarSpecification(format))
                for answer in item.good {
                    let isAllowed = try allows(answer, in: specification, engine.vocabulary)
                    #expect(isAllowed, "\(item.name) should allow \(answer.jsonText)")
                }
                for answer in item.bad {
                    let isAllowed = try allows(answer, in: specification, engine.vocabulary)
                    #expect(!isAllowed, "\(item.name) should not allow \(answer.jsonText)")
                }
            } catch { Issue.record("\(item.name): \(error)") }
        }
        await engine.shutdown()
    }

    @Test("every schema of an object can be the parameters of a tool, beside another tool with definitions of the same names")
    func tools() async throws {
        let engine = try await TestModel.engine()
        var other = Tool()
        other.function.name = "other"
        other.function.parameters = try JSONValue.parse(
            ##"{"type":"object","properties":{"a":{"$ref":"#/$defs/Address"},"b":{"$ref":"#/$defs/A"}},"required":["a","b"],"$defs":{"Address":{"type":"integer"},"A":{"type":"null"}}}"##
        ).objectValue
        for item in Self.cases where item.good.allSatisfy({ $0.objectValue != nil }) {
            do {
                var tool = Tool()
                tool.function.name = "f"
                tool.function.parameters = item.schema
                let tools = [try other.followed(place: 0), try tool.followed(place: 1)]
                let specification = try #require(try PlainToolCalls.grammar(tools: tools, mustCall: true, parallel: false))
                for answer in item.good {
                    let isAllowed = try allows(answer, in: specification, engine.vocabulary) {
                        "<tool_call>\n{\"name\": \"f\", \"arguments\": \($0)}\n</tool_call>"
                    }
                    #expect(isAllowed, "\(item.name) should allow \(answer.jsonText)")
                }
                let own = try allows(
                    "<tool_call>\n{\"name\": \"other\", \"arguments\": {\"a\": 1, \"b\": null}}\n</tool_call>", specification,
                    engine.vocabulary)
                #expect(own, "\(item.name) beside another")
            } catch { Issue.record("\(item.name): \(error)") }
        }
        await engine.shutdown()
    }
}
