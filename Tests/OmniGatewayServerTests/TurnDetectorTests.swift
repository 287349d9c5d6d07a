import Foundation
import OmniAPI
import Testing

@testable import OmniGatewayServer

/// The starter voice says "What is the weather in Paris today? Please tell me.", with half a second between both sentences:
/// `curl …/v1/audio/speech -d '{"input":"…","response_format":"pcm","sample_rate":8000}'`, coded as µ-law.
private let recorded: [Int16] = {
    let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../Fixtures/speech/weather.ulaw")
    return G711.decode((try? Data(contentsOf: file)) ?? Data(), .mu)
}()

/// Noise of which the same comes each time, up to a loudness.
private struct Noise {
    private var state: UInt64 = 1

    mutating func next(_ loudness: Int) -> Int {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return loudness == 0 ? 0 : Int(state >> 33) % (2 * loudness) - loudness
    }
}

@Suite("Turns are told from silence and noise")
struct TurnDetectorTests {
    /// Where turns begin and end in two seconds of noise, the voice in it, and noise behind; at 8 kHz or a multiple.
    private func events(_ settings: RealtimeTurnDetection, noise loudness: Int, rate: Int = 1, voice: [Int16] = recorded) -> [TurnDetector
        .Event]
    {
        all(settings, noise: loudness, rate: rate, voice: voice).filter { $0 != .paused && $0 != .resumed }
    }

    private func all(_ settings: RealtimeTurnDetection, noise loudness: Int, rate: Int = 1, voice: [Int16] = recorded) -> [TurnDetector
        .Event]
    {
        var noise = Noise()
        let sound = ([Int16](repeating: 0, count: 16_000) + voice + [Int16](repeating: 0, count: 12_000))
            .map { Int16(clamping: Int($0) + noise.next(loudness)) }
        let samples = sound.flatMap { [Int16](repeating: $0, count: rate) }
        var detector = TurnDetector(settings)
        let frame = VoiceActivity.frame * rate
        return stride(from: 0, through: samples.count - frame, by: frame).compactMap { detector.add(Array(samples[$0..<$0 + frame])) }
    }

    private func settings(pause: Int) -> RealtimeTurnDetection {
        var settings = RealtimeTurnDetection()
        settings.silence = pause
        return settings
    }

    @Test("a long pause ends a turn, a short one does not, in noise too", arguments: [0, 100, 500, 1000], [1, 3])
    func turns(noise: Int, rate: Int) throws {
        let one = events(settings(pause: 800), noise: noise, rate: rate)
        guard one.count == 2, case .started(let start) = one[0], case .stopped(let stop) = one[1] else {
            Issue.record("one turn was expected, not \(one)")
            return
        }
        #expect((1900...2200).contains(start), "the voice begins at 2 s")
        #expect((5500...6100).contains(stop), "it ends at 5 s, and 0.8 s of silence tell so")
        guard noise <= 100 else { return }
        #expect(events(settings(pause: 300), noise: noise, rate: rate).count == 4, "the sentences are turns of their own")
    }

    @Test("a pause within a turn is told before the turn is over, and that it was none", arguments: [0, 100])
    func pauses(noise: Int) throws {
        let found = all(settings(pause: 800), noise: noise)
        #expect(found.count >= 5 && found.count % 2 == 1)
        for (place, event) in found.dropFirst().dropLast().enumerated() { #expect(event == (place % 2 == 0 ? .paused : .resumed)) }
    }

    @Test("steady noise, hum and silence are no turns")
    func none() {
        #expect(events(settings(pause: 500), noise: 2000, voice: []) == [])
        let hum = (0..<32_000).map { Int16(3000 * sin(2 * .pi * 50 * Double($0) / 8000)) }
        #expect(events(settings(pause: 500), noise: 0, voice: hum) == [])
    }

    @Test("noise that begins in silence, and clicks, are no turns")
    func onset() {
        var noise = Noise()
        let began = (0..<24_000).map { Int16($0 < 8000 ? 0 : noise.next(3000)) }
        #expect(events(settings(pause: 500), noise: 0, voice: began) == [])
        let clicks = (0..<48_000).map { Int16($0 % 4999 == 0 ? 16_000 : 0) }
        #expect(events(settings(pause: 500), noise: 0, voice: clicks) == [])
    }

    @Test("a higher threshold takes more to be speech")
    func threshold() {
        var strict = settings(pause: 800)
        strict.threshold = 1
        #expect(events(strict, noise: 0) == [])
    }

    @Test("G.711 comes back as it went, but for its steps", arguments: [G711.Law.mu, .a])
    func g711(law: G711.Law) {
        let codes = (0...255).map(UInt8.init)
        let again = G711.encode(G711.decode(codes, law), law)
        // Zero has two codes in µ-law.
        #expect(zip(codes, again).allSatisfy { $0 == $1 || law == .mu && $0 == 0x7F && $1 == 0xFF })
        for sample in stride(from: Int16.min, through: .max - 100, by: 97) {
            let coded = Int(G711.decode(G711.encode([sample], law), law)[0])
            #expect(abs(coded - Int(sample)) <= max(16, abs(Int(sample)) / 16), "\(sample) became \(coded)")
        }
    }
}

@Suite("Turns of a session")
struct RealtimeTurnTests {
    private static let silence = [UInt8](repeating: 0xFF, count: 8000)
    private var speech: [UInt8] { G711.encode(recorded, .mu) }

    private func script(_ change: (inout RealtimeTurnDetection) -> Void = { _ in }) -> RealtimeScript {
        RealtimeScript {
            $0.audio.input.format = .pcmu
            $0.audio.input.transcription = RealtimeTranscription()
            var detection = RealtimeTurnDetection()
            detection.silence = 700
            change(&detection)
            $0.audio.input.turnDetection = detection
        }
    }

    private func hear(_ sound: [UInt8], _ script: inout RealtimeScript) throws {
        for start in stride(from: 0, to: sound.count, by: 333) {
            script.do(try script.state.add(sound: Array(sound[start..<min(start + 333, sound.count)]), at: script.now))
        }
    }

    @Test("a turn is committed with the sound before it, written down and answered")
    func turn() throws {
        var script = script()
        try hear(Self.silence + Self.silence + speech + Self.silence, &script)
        #expect(
            script.types == [
                "input_audio_buffer.speech_started", "input_audio_buffer.speech_stopped", "input_audio_buffer.committed",
                "conversation.item.added",
                "conversation.item.done", "response.created",
            ])
        let item = try #require(script.transcribing.first)
        #expect(script.events[0]["item_id"] == .string(item) && script.events[2]["item_id"] == .string(item))
        let start = try #require(script.events[0]["audio_start_ms"]?.intValue)
        #expect((1600...1900).contains(start), "300 ms before the voice")
        guard case .transcribe(_, let sound, _, _)? = script.work.first(where: { if case .transcribe = $0 { true } else { false } }) else {
            return
        }
        #expect(RealtimeAudioFormat.pcmu.milliseconds(bytes: sound.count) == (script.events[1]["audio_end_ms"]?.intValue ?? 0) - start)
        var done = TranscriptionStreamEvent.Done()
        done.text = "What is the weather?"
        script.do(script.state.transcribed(item, done))
        #expect(script.types.last == "conversation.item.input_audio_transcription.completed")
        #expect(script.state.chat(script.plans[0])?.messages.map { $0.content?.text } == ["What is the weather?"])
    }

    @Test("what may be all of a turn is given out in advance, and taken back when more is said")
    func anticipation() throws {
        var script = script { $0.silence = 700 }
        try hear(Self.silence + Self.silence + speech, &script)
        var anticipated: [[UInt8]] = []
        var kinds: [String] = []
        try hear(Self.silence, &script)
        for action in script.work {
            switch action {
            case .anticipate(let sound, _):
                anticipated.append(sound)
                kinds.append("anticipate")
            case .speakOn: kinds.append("speak on")
            case .transcribe(_, let sound, _, let wasAnticipated):
                kinds.append("transcribe")
                let last = try #require(anticipated.last)
                #expect(wasAnticipated && sound.starts(with: last) && sound.count > last.count)
            default: break
            }
        }
        #expect(kinds.first == "anticipate" && kinds.suffix(2) == ["anticipate", "transcribe"], "\(kinds)")
        for (one, next) in zip(kinds, kinds.dropFirst()) where one == "anticipate" { #expect(next == "speak on" || next == "transcribe") }
    }

    @Test("settings that change within a turn lose nothing of it, and end it by the new rules", arguments: [300, 1500])
    func changedSettings(silence: Int) throws {
        var script = script()
        // In the middle of the first sentence, and again in the pause behind the second.
        try hear(Self.silence + Self.silence + speech.prefix(8000), &script)
        var session = script.state.session
        session.audio.input.turnDetection?.createsResponse = false
        script.do(script.state.use(session))
        try hear(Array(speech.dropFirst(8000)) + Self.silence.prefix(1600), &script)
        session.audio.input.turnDetection?.silence = silence
        script.do(script.state.use(session))
        try hear(Self.silence.prefix(5600) + [], &script)
        #expect(script.types.filter { $0.hasSuffix("speech_started") }.count == 1)
        #expect(script.transcribing.count == (silence < 1000 ? 1 : 0))
        try hear(Self.silence + Self.silence, &script)
        guard
            case .transcribe(let item, let sound, let format, _)? = script.work.last(where: {
                if case .transcribe = $0 { true } else { false }
            })
        else {
            Issue.record("the turn never ends")
            return
        }
        #expect(format.milliseconds(bytes: sound.count) > 3000 && script.transcribing == [item])
        #expect(script.events[0]["item_id"] == .string(item) && script.plans.isEmpty)
    }

    @Test("a turn whose detection is turned off waits for the client's commit, whole")
    func detectionOff() throws {
        var script = script()
        try hear(Self.silence + speech.prefix(8000), &script)
        var session = script.state.session
        session.audio.input.turnDetection = nil
        script.do(script.state.use(session))
        try hear(Array(speech.dropFirst(8000)), &script)
        try script.take(#"{"type":"input_audio_buffer.commit"}"#)
        guard case .transcribe(let item, let sound, let format, false)? = script.work.last else {
            Issue.record("nothing is transcribed")
            return
        }
        #expect(format.milliseconds(bytes: sound.count) > 3000 && script.events[0]["item_id"] == .string(item))
    }

    @Test("a turn that is committed while somebody speaks was not anticipated")
    func committedInSpeech() throws {
        var script = script()
        try hear(Self.silence + speech.prefix(8000), &script)
        try script.take(#"{"type":"input_audio_buffer.commit"}"#)
        guard case .transcribe(_, _, _, let wasAnticipated)? = script.work.last(where: { if case .transcribe = $0 { true } else { false } })
        else {
            Issue.record("nothing is transcribed")
            return
        }
        #expect(!wasAnticipated)
    }

    @Test("who speaks ends the answer, and what cannot have been heard is cut")
    func interruption() throws {
        var script = script()
        try script.take(#"{"type":"response.create"}"#)
        try script.speak("One two three four. ", milliseconds: 4000)
        script.now = script.now.advanced(by: .milliseconds(2100))
        script.forget()
        try hear(Self.silence + speech, &script)
        #expect(script.types.first == "input_audio_buffer.speech_started" && script.isStopped)
        #expect(script.done?["status_details"]?["reason"] == "turn_detected")
        let cut = try #require(script.events.first { $0["type"] == "conversation.item.truncated" })
        #expect(cut["audio_end_ms"] == 2100 && script.state.conversation.items[0].text == "One two")
    }

    @Test("an answer that is not to be interrupted goes on, and the turn is answered after it")
    func patience() throws {
        var script = script { $0.interruptsResponse = false }
        try script.take(#"{"type":"response.create"}"#)
        try hear(Self.silence + speech + Self.silence, &script)
        #expect(!script.isStopped && script.plans.count == 1)
        script.finish()
        #expect(script.plans.count == 2 && script.plans[1].answersTurn)
    }

    @Test("a turn that says nothing is not answered")
    func nothing() throws {
        var script = script()
        try hear(Self.silence + speech + Self.silence, &script)
        script.do(script.state.transcribed(try #require(script.transcribing.first), TranscriptionStreamEvent.Done()))
        #expect(script.state.saysNothing(script.plans[0]))
        script.finish()
        #expect(script.done?["status"] == "completed" && script.done?["output"] == [])
    }

    @Test("long silence after an answer brings the next one")
    func idle() throws {
        var script = script { $0.idleTimeout = 5000 }
        try script.take(#"{"type":"response.create"}"#)
        try script.speak("Hello. ", milliseconds: 3000)
        script.now = script.now.advanced(by: .milliseconds(1000))
        script.finish()
        #expect(script.wait == 7000, "2 s of it are still to be heard")
        script.forget()
        script.do(script.state.idle(at: script.now))
        #expect(script.types.first == "input_audio_buffer.timeout_triggered" && script.plans.count == 1)
    }

    @Test("settings change one by one; the beta's are understood and told in kind")
    func settings() throws {
        let session = try RealtimeSession().updated(
            with: try #require(try JSONValue.parse(#"{"audio":{"input":{"turn_detection":null},"output":{"voice":"joe"}}}"#).objectValue),
            at: .root("session"))
        #expect(session.audio.input.turnDetection == nil && session.audio.output.voice == "joe" && session.audio.input.format == .pcm)
        let beta = try #require(
            try JSONValue.parse(
                #"{"modalities":["text"],"voice":"joe","input_audio_format":"g711_ulaw","max_response_output_tokens":"inf"}"#
            ).objectValue)
        #expect(RealtimeDialect.isBeta(beta))
        let changed = try session.updated(with: RealtimeDialect.current(beta), at: .root("session"))
        #expect(changed.modalities == [.text] && changed.audio.input.format == .pcmu && changed.maxOutputTokens == nil)
        let told = try #require(
            RealtimeDialect.beta.write(RealtimeEvents.event("session.updated", [("session", changed.json)]))?["session"])
        #expect(
            told["modalities"] == ["text"] && told["input_audio_format"] == "g711_ulaw" && told["voice"] == "joe" && told["audio"] == nil)
        #expect(told["turn_detection"] == .null)
    }
}
