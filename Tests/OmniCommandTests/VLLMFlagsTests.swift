import ArgumentParser
import Testing

@testable import omni

@Suite struct VLLMFlagsTests {
    private let own: Set<String> = ["--host", "--port", "--omni", "--max-model-len", "--served-model-name"]

    private func split(_ line: String) -> VLLMFlags.Split { VLLMFlags.split(line.split(separator: " ").map(String.init), own: own) }

    @Test func aLineWrittenForVLLMWorks() {
        let line = split(
            "Tongyi-MAI/Z-Image-Turbo --omni --tensor-parallel-size 2 --port 8091 --trust-remote-code --gpu-memory-utilization=0.9 --block-size 16 --stage-init-timeout 600"
        )
        #expect(line.kept == ["Tongyi-MAI/Z-Image-Turbo", "--omni", "--port", "8091"])
        #expect(
            line.ignored.map(\.flag) == [
                "--tensor-parallel-size", "--trust-remote-code", "--gpu-memory-utilization", "--block-size", "--stage-init-timeout",
            ])
        #expect(line.ignored.map(\.values) == [["2"], [], ["0.9"], ["16"], ["600"]])
        #expect(line.unknown.isEmpty)
        #expect(line.warning?.contains("--block-size") == true)
    }

    @Test func aSwitchTakesNoWord() {
        #expect(split("--enforce-eager model").kept == ["model"])
        #expect(split("--no-enable-prefix-caching model").kept == ["model"])
    }

    @Test func otherSpellings() {
        let line = split("--max_model_len 4096 --tensor_parallel_size=2 -tp 4 --compilation-config.level 3 -O3 m")
        #expect(line.kept == ["--max-model-len", "4096", "m"])
        #expect(line.ignored.map(\.flag) == ["--tensor-parallel-size", "-tp", "--compilation-config.level", "-O3"])
    }

    @Test func valuesThatLookLikeFlagsAreKept() {
        #expect(split("m --port -1").kept == ["m", "--port", "-1"])
        #expect(split("m -- --block-size").kept == ["m", "--", "--block-size"])
    }

    @Test func unknownFlagsNameTheNearest() {
        #expect(split("m --prot 80").unknown == [.init(flag: "--prot", nearest: "--port", isVLLM: false)])
        #expect(split("m --max-model-length 80").unknown.first?.nearest == "--max-model-len")
        #expect(split("m --frobnicate").unknown.first?.nearest == nil)
        #expect(split("m --prot 80").unknown.first.map { "\($0)" } == "unknown flag --prot; did you mean --port?")
    }

    @Test func flagsThatWouldChangeAnswersAreNotIgnored() {
        #expect(split("m --enable-lora").unknown == [.init(flag: "--enable-lora", nearest: nil, isVLLM: true)])
        #expect(VLLMFlags.unsupported.isDisjoint(with: VLLMFlags.table.keys))
    }

    @Test func longNamesComeFromTheHelp() {
        struct Sample: ParsableCommand {
            @Option(help: "A number.") var maxModelLen = 1
            @Flag(help: .hidden) var omni = false
        }
        #expect(VLLMFlags.longNames(of: Sample.self).isSuperset(of: ["--max-model-len", "--omni"]))
    }

    @Test func distances() {
        #expect(NearestName.distance("", "abc") == 3)
        #expect(NearestName.distance("port", "prot") == 1)
        #expect(NearestName.distance("kitten", "sitting") == 3)
    }
}
