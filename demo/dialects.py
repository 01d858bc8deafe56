"""Which path of the demo provider speaks which dialect."""

from answers import Anthropic, AnthropicCount, OpenAi
from answers_ollama import OllamaChat, OllamaEmbed, OllamaGenerate
from answers_responses import Embeddings, Responses

DIALECTS = {
    "/v1/chat/completions": OpenAi,
    "/v1/responses": Responses,
    "/v1/embeddings": Embeddings,
    "/v1/messages": Anthropic,
    "/v1/messages/count_tokens": AnthropicCount,
    "/api/chat": OllamaChat,
    "/api/generate": OllamaGenerate,
    "/api/embed": OllamaEmbed,
}


def find(path):
    """The dialect spoken at a path, with or without a query; None: it is no model's."""
    return DIALECTS.get(path.split("?")[0])
