import Foundation
import OmniTestSupport
import Testing

@testable import OmniToken2Wav

@Suite struct SpeakerFileTests {
    static func file() throws -> [UInt8] {
        [UInt8](try #require(FileManager.default.contents(atPath: Fixture.folder + "/spk_dict.pt")))
    }

    static func reason(_ bytes: [UInt8]) -> String {
        do { _ = try SpeakerFile.torch(bytes) } catch let error as TorchFileError { return error.reason } catch { return "other: \(error)" }
        return "nothing"
    }

    /// A pickle in place of the file's own, of the same length.
    static func replacing(_ old: String, _ new: String) throws -> [UInt8] {
        var bytes = try file()
        let (old, new) = (Array(old.utf8), Array(new.utf8))
        try #require(old.count == new.count)
        let place = try #require((0..<bytes.count - old.count).first { bytes[$0..<$0 + old.count].elementsEqual(old) })
        bytes.replaceSubrange(place..<place + old.count, with: new)
        return bytes
    }

    @Test func voicesOfTorchAreRead() throws {
        let speakers = try SpeakerFile(folder: Fixture.folder, width: 28, bands: 80).speakers
        #expect(speakers.map(\.name) == ["Chelsie", "Ethan"] && speakers.map(\.beginToken) == [632, 630])
        #expect(
            speakers.map(\.frames) == [56, 44] && speakers.allSatisfy { $0.condition.count == 28 && $0.sample.count == 80 * $0.frames })
        #expect(throws: Token2WavError.self) { try SpeakerFile(folder: Fixture.folder, width: 29, bands: 80) }
        #expect(throws: Token2WavError.self) { try SpeakerFile(folder: Fixture.root, width: 28, bands: 80) }
    }

    @Test func safetensorsSayTheSame() throws {
        let known = try SpeakerFile(folder: Fixture.folder, width: 28, bands: 80).speakers
        let folder = try TemporaryFolder()
        var (header, data) = ([String](), Data())
        func add(_ name: String, _ type: String, _ shape: [Int], _ bytes: Data) {
            header.append(
                "\"\(name)\":{\"dtype\":\"\(type)\",\"shape\":\(shape),\"data_offsets\":[\(data.count),\(data.count + bytes.count)]}")
            data += bytes
        }
        for speaker in known {
            add("\(speaker.name).cond", "F32", [1, 28], speaker.condition.withUnsafeBytes { Data($0) })
            add("\(speaker.name).ref_mel", "F32", [1, speaker.frames, 80], speaker.sample.withUnsafeBytes { Data($0) })
            add("\(speaker.name).bos_token", "I64", [1], withUnsafeBytes(of: Int64(speaker.beginToken)) { Data($0) })
        }
        let text = Data("{\(header.joined(separator: ","))}".utf8)
        try folder.write("spk_dict.safetensors", withUnsafeBytes(of: UInt64(text.count)) { Data($0) } + text + data)
        #expect(try SpeakerFile(folder: folder.url.path, width: 28, bands: 80).speakers == known)
    }

    @Test func whatAPickleMayNotDoIsNamed() throws {
        #expect(
            Self.reason(try Self.replacing("torch._utils\n_rebuild_tensor_v2", "posix.abcdef\nsystem_rebuild_xyz")).contains(
                "posix.abcdef.system_rebuild_xyz"))
        #expect(Self.reason(try Self.replacing("FloatStorage", "HalfsStorage")).contains("torch.HalfsStorage"))
        #expect(Self.reason(try Self.replacing("bos_token", "bos_tokem")).contains("bos_tokem"))
        func pickle(_ text: [UInt8]) throws -> Unpickler.Value {
            var unpickler = Unpickler(text[...])
            return try unpickler.run()
        }
        #expect(throws: TorchFileError("wants os.system, which no file of voices needs")) { try pickle(Array("cos\nsystem\n.".utf8)) }
        #expect(throws: TorchFileError("has a pickle with the instruction 0x62, which no file of voices needs")) {
            try pickle(Array("}}b.".utf8))
        }
        #expect(throws: TorchFileError("has a pickle with tuples in tuples")) {
            try pickle(Array(")".utf8) + [UInt8](repeating: 0x85, count: 100_000) + Array(".".utf8))
        }
        #expect(throws: TorchFileError("has a pickle with more than 10000 values")) {
            try pickle([UInt8](repeating: UInt8(ascii: "N"), count: 20_000))
        }
        #expect(throws: TorchFileError("has a pickle that is cut short")) { try pickle([0x80, 2]) }
    }

    @Test func damageIsAnErrorAndNoCrash() throws {
        let whole = try Self.file()
        // The entries' list, their headers and the pickle are a small part of the file: most faults go there.
        let pickle = try #require((0..<whole.count).first { whole[$0...].starts(with: Array("Chelsie".utf8)) })
        let ranges = [0..<whole.count, max(0, pickle - 100)..<pickle + 900, whole.count - 1200..<whole.count]
        var random = SeededGenerator(seed: 2026)
        var refused = 0
        let cases = TestScale.cases(300, full: 30_000)
        for index in 0..<cases where Self.reason(whole.damaged(in: ranges[index % ranges.count], using: &random)) != "nothing" {
            refused += 1
        }
        #expect(refused > cases / 4)
        for length in [0, 1, 21, 22, 100, whole.count / 2, whole.count - 1] { #expect(Self.reason(Array(whole[..<length])) != "nothing") }
        #expect(Self.reason([UInt8](repeating: 0, count: 100_000)).contains("no zip file"))
    }
}
