import Foundation
import OmniEngine
import Testing

@testable import omni

@Suite struct ConfigurationFileTests {
    private let flags: Set<String> = ["host", "port", "api-key", "omni", "max-model-len", "config"]

    private func parse(_ text: String) throws -> ConfigurationFile {
        try ConfigurationFile.parse(text, file: "omni.yaml", serveFlags: flags)
    }

    private func fault(_ text: String) -> ConfigurationError? {
        do {
            _ = try parse(text)
            return nil
        } catch { return error as? ConfigurationError }
    }

    @Test func everything() throws {
        let file = try parse(
            """
            models:
              - id: chat
                path: ./qwen.gguf
                kind: text
                aliases: [gpt-4o, "gpt-4"]
                default: true
                pin: yes
                flags: {max_model_len: 8192}
              - joe
            backends:
              - {id: big, urls: ["http://127.0.0.1:9001", "http://127.0.0.1:9002"]}
            voices: {alloy: joe}
            pipelines:
              - {id: talk, chat: chat, speech: joe}
            port: 8092
            api_key: [one, two]
            omni: true
            tensor-parallel-size: 2
            """)
        #expect(
            file.models == [
                .init(
                    id: "chat", path: "./qwen.gguf", kind: .text, aliases: ["gpt-4o", "gpt-4"], isDefault: true, pin: true,
                    flags: ["max-model-len": ["8192"]]),
                .init(path: "joe"),
            ])
        #expect(file.backends == [.init(id: "big", urls: ["http://127.0.0.1:9001", "http://127.0.0.1:9002"])])
        #expect(file.voices == ["alloy": "joe"])
        #expect(file.pipelines == [.init(id: "talk", chat: "chat", speech: "joe")])
        #expect(file.flags == ["port": ["8092"], "api-key": ["one", "two"], "omni": []])
        #expect(file.ignored == ["tensor-parallel-size"])
        #expect(file.arguments(excluding: ["port"]) == ["--api-key", "one", "two", "--omni"])
    }

    @Test func anEmptyFileSaysNothing() throws {
        #expect(try parse("") == ConfigurationFile())
        #expect(try parse("# nothing\n") == ConfigurationFile())
        #expect(try parse("omni: false").flags.isEmpty)
    }

    @Test func unknownKeysNameTheirLineAndTheNearest() {
        #expect(fault("port: 1\nhsot: x")?.description == "omni.yaml:2: hsot is not known; did you mean host?")
        #expect(fault("modles: []")?.problem == "modles is not known; did you mean models?")
        #expect(fault("models:\n  - path: a\n    alias: b")?.line == 3)
        #expect(fault("models:\n  - path: a\n    flags:\n      prot: 1")?.line == 4)
    }

    @Test(arguments: [
        "models: 3", "models:\n  - id: a", "models:\n  - {path: a, kind: poem}", "models:\n  - {path: a, pin: maybe}",
        "backends:\n  - {id: a}",
        "backends:\n  - {id: a, urls: [ftp://x]}", "pipelines:\n  - {id: a}", "voices: [a]", "[1, 2]", "config: other.yaml", "port: {a: 1}",
        "models:\n  - {id: a, path: x}\n  - {id: a, path: y}", "a: [", "port: 1\nport: 2", "\t- x: [}",
    ])
    func faults(_ text: String) { #expect(fault(text) != nil) }

    @Test func aMissingFileIsNamed() {
        let error = #expect(throws: ConfigurationError.self) { try ConfigurationFile.load("/nowhere/omni.yaml", serveFlags: []) }
        #expect(error?.file == "/nowhere/omni.yaml" && error?.line == nil)
    }
}
