import OmniAPI
import OmniEngine
import Synchronization

/// Work on a turn that may be over: its transcript, and then the answer to it. Whoever finds that the turn is over takes what has come and
/// what is on its way; where the user speaks on, all of it is given up. Nothing of it is told to the client before.
final class HeadStart: Sendable {
    struct Transcript: Sendable {
        /// The text in the pieces in which it came.
        var pieces: [String]
        var done: TranscriptionStreamEvent.Done
    }

    /// How the session wanted its speech written down.
    let asked: RealtimeTranscription?
    let transcript: Task<Transcript, any Error>
    private let early = Mutex<EarlyAnswer?>(nil)
    private let places: Places

    /// Nil where as many as may be are being made.
    init?(_ cascade: RealtimeCascade, _ sound: [UInt8], _ format: RealtimeAudioFormat, _ asked: RealtimeTranscription?, in places: Places) {
        guard places.enter() else { return nil }
        (self.asked, self.places) = (asked, places)
        transcript = Task {
            let pieces = Mutex<[String]>([])
            let done = try await cascade.transcribe(format.wav(sound), asked) { piece in pieces.withLock { $0.append(piece) } }
            return Transcript(pieces: pieces.withLock { $0 }, done: done)
        }
    }

    deinit {
        transcript.cancel()
        early.withLock { $0 }?.giveUp()
        places.leave()
    }

    /// Begins the answer too.
    func answer(_ plan: RealtimePlan, _ request: ChatCompletionRequest, _ cascade: RealtimeCascade) {
        early.withLock { $0 = EarlyAnswer(plan, request, cascade) }
    }

    /// The answer that was begun; whoever takes it ends it.
    func takeAnswer() -> EarlyAnswer? {
        early.withLock { answer in
            defer { answer = nil }
            return answer
        }
    }

    /// How many are made at once in a server: what they compute may be for nothing, and must not hold up others' answers.
    final class Places: Sendable {
        private let free: Mutex<Int>

        init(_ count: Int = 1) { free = Mutex(count) }

        fileprivate func enter() -> Bool {
            free.withLock { free in
                guard free > 0 else { return false }
                free -= 1
                return true
            }
        }

        fileprivate func leave() { free.withLock { $0 += 1 } }
    }
}

/// An answer that is made before its turn is over for certain: the chat's chunks, and the sound of its first sentence.
final class EarlyAnswer: Sendable {
    private let request: ChatCompletionRequest
    private let chunks = BoundedQueue<ChatCompletionChunk>(limit: .max)
    private let sound: EarlySentence?
    private let work: Task<Void, Never>

    fileprivate init(_ plan: RealtimePlan, _ request: ChatCompletionRequest, _ cascade: RealtimeCascade) {
        let chunks = chunks
        let sound = plan.speaks ? EarlySentence(plan.audio, cascade) : nil
        (self.request, self.sound) = (request, sound)
        work = Task {
            do {
                try await cascade.answer(request) { chunk in
                    chunks.post(chunk)
                    if let text = chunk.choices.first?.delta.content?.text { sound?.read(text) }
                }
                sound?.readAll()
                chunks.finish()
            } catch {
                chunks.finish(.failure(error))
            }
        }
    }

    deinit { giveUp() }

    func giveUp() {
        work.cancel()
        sound?.giveUp()
    }

    /// Whether this is what `request` asks for.
    func answers(_ request: ChatCompletionRequest) -> Bool { request.json == self.request.json }

    /// Calls `take` with every chunk, those that have come at once. Throws what the chat throws.
    func read(_ take: @Sendable (ChatCompletionChunk) async throws -> Void) async throws {
        while let chunk = try await chunks.next() { try await take(chunk) }
    }

    /// The sound of a sentence, where it is the first one in this voice and form.
    func sound(of sentence: String, _ output: RealtimeAudioSettings.Output) -> BoundedQueue<[UInt8]>? { sound?.sound(of: sentence, output) }
}

/// The sound of an answer's first sentence, made as soon as that is whole.
private final class EarlySentence: Sendable {
    private struct State {
        var splitter = SentenceSplitter.ofAnswers
        var sentence: String?
        var work: Task<Void, Never>?
    }

    private let output: RealtimeAudioSettings.Output
    private let cascade: RealtimeCascade
    private let sound = BoundedQueue<[UInt8]>(limit: .max)
    private let state = Mutex(State())

    init(_ output: RealtimeAudioSettings.Output, _ cascade: RealtimeCascade) { (self.output, self.cascade) = (output, cascade) }

    func read(_ text: String) { state.withLock { if $0.sentence == nil, let first = $0.splitter.push(text).first { speak(first, &$0) } } }

    /// The text is over, and so is its last sentence.
    func readAll() { state.withLock { if $0.sentence == nil, let first = $0.splitter.flush().first { speak(first, &$0) } } }

    func giveUp() { state.withLock(\.work)?.cancel() }

    func sound(of sentence: String, _ output: RealtimeAudioSettings.Output) -> BoundedQueue<[UInt8]>? {
        output == self.output && state.withLock(\.sentence) == sentence ? sound : nil
    }

    private func speak(_ sentence: String, _ state: inout State) {
        state.sentence = sentence
        state.work = Task { [cascade, output, sound] in
            do {
                try await cascade.speak(sentence, output) { sound.post($0) }
                sound.finish()
            } catch {
                sound.finish(.failure(error))
            }
        }
    }
}
