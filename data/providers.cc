#include "data/providers.h"

#include <array>

namespace oisp {
namespace {

// One row per host. A port is given only where the host alone says nothing: the default ports of programs
// that serve models on this machine.
constexpr std::array kHosts = std::to_array<ProviderHost>({
    {"api.openai.com", "openai"},
    {"*.api.openai.com", "openai"},
    {"chatgpt.com", "openai"},
    {"api.anthropic.com", "anthropic"},
    {"*.openai.azure.com", "azure_openai"},
    {"*.cognitiveservices.azure.com", "azure_openai"},
    {"*.services.ai.azure.com", "azure_openai"},
    {"generativelanguage.googleapis.com", "google"},
    {"aiplatform.googleapis.com", "google"},
    {"*-aiplatform.googleapis.com", "google"},
    {"bedrock-runtime.*.amazonaws.com", "aws_bedrock"},
    {"api.mistral.ai", "mistral"},
    {"codestral.mistral.ai", "mistral"},
    {"api.groq.com", "groq"},
    {"api.deepseek.com", "deepseek"},
    {"api.together.ai", "together"},
    {"api.together.xyz", "together"},
    {"api.fireworks.ai", "fireworks"},
    {"openrouter.ai", "openrouter"},
    {"api.openrouter.ai", "openrouter"},
    {"api.x.ai", "xai"},
    {"*.api.x.ai", "xai"},
    {"api.perplexity.ai", "perplexity"},
    {"api.cohere.ai", "cohere"},
    {"api.cohere.com", "cohere"},
    {"api.cerebras.ai", "cerebras"},
    {"api.sambanova.ai", "sambanova"},
    {"api.replicate.com", "replicate"},
    {"api-inference.huggingface.co", "huggingface"},
    {"router.huggingface.co", "huggingface"},
    {"*.endpoints.huggingface.cloud", "huggingface"},
    {"integrate.api.nvidia.com", "nvidia"},
    {"api.moonshot.ai", "moonshot"},
    {"api.moonshot.cn", "moonshot"},
    {"dashscope.aliyuncs.com", "alibaba"},
    {"dashscope-intl.aliyuncs.com", "alibaba"},
    {"open.bigmodel.cn", "zhipu"},
    {"api.z.ai", "zhipu"},
    {"api.minimax.io", "minimax"},
    {"api.ai21.com", "ai21"},
    {"api.deepinfra.com", "deepinfra"},
    {"models.github.ai", "github_models"},
    {"models.inference.ai.azure.com", "github_models"},
    {"api.githubcopilot.com", "github_copilot"},
    {"*.githubcopilot.com", "github_copilot"},
    {"ai-gateway.vercel.sh", "vercel"},
    {"gateway.ai.cloudflare.com", "cloudflare"},
    {"ollama.com", "ollama"},
    {"localhost:11434", "ollama"},
    {"127.0.0.1:11434", "ollama"},
    {"[::1]:11434", "ollama"},
    {"localhost:1234", "lmstudio"},
    {"127.0.0.1:1234", "lmstudio"},
    {"[::1]:1234", "lmstudio"},
});

}  // namespace

std::span<const ProviderHost> provider_hosts() { return kHosts; }

}  // namespace oisp
