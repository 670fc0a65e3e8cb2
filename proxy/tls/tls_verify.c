/* Verifying what a backend shows: its chain and name, its pin. */
#include "tls/tls_verify.h"

#include <arpa/inet.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "tls/tls.h"

/* Names that are told of a certificate with many. */
#define NAMES_TOLD 5

/* ---------------------------------------------------------------- saying what was seen */

static void put_time(BIO *out, const char *what, const ASN1_TIME *t)
{
    struct tm tm;
    char text[40];
    if (ASN1_TIME_to_tm(t, &tm) == 1 &&
        strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &tm) > 0) {
        BIO_printf(out, " (%s %s)", what, text);
    }
}

/* Whatever stands in a certificate must not make lines of its own in the log. */
static void put_dns_name(BIO *out, const ASN1_IA5STRING *name)
{
    const unsigned char *s = ASN1_STRING_get0_data(name);
    int len = ASN1_STRING_length(name);
    for (int i = 0; i < len && i < 80; i++) {
        BIO_printf(out, "%c", s[i] > 0x20 && s[i] < 0x7f ? s[i] : '?');
    }
}

static void put_address(BIO *out, const ASN1_OCTET_STRING *addr)
{
    char text[INET6_ADDRSTRLEN];
    int len = ASN1_STRING_length(addr);
    const char *shown = NULL;
    if (len == 4 || len == 16) {
        shown = inet_ntop(len == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(addr), text,
                          sizeof(text));
    }
    BIO_puts(out, shown != NULL ? shown : "an address of no kind");
}

static void put_alt_names(BIO *out, X509 *cert)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    int n = 0;
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type != GEN_DNS && name->type != GEN_IPADD) {
            continue;
        }
        if (n < NAMES_TOLD) {
            BIO_puts(out, n > 0 ? ", " : " (it is for ");
            if (name->type == GEN_DNS) {
                put_dns_name(out, name->d.dNSName);
            } else {
                put_address(out, name->d.iPAddress);
            }
        }
        n++;
    }
    if (n > NAMES_TOLD) {
        BIO_printf(out, " and %d more", n - NAMES_TOLD);
    }
    BIO_puts(out, n > 0 ? ")" : " (it has no names)");
    GENERAL_NAMES_free(names);
}

static void put_parties(BIO *out, X509 *cert)
{
    BIO_puts(out, " (of ");
    X509_NAME_print_ex(out, X509_get_subject_name(cert), 0, XN_FLAG_RFC2253);
    BIO_puts(out, ", issued by ");
    X509_NAME_print_ex(out, X509_get_issuer_name(cert), 0, XN_FLAG_RFC2253);
    BIO_puts(out, ")");
}

static void put_detail(BIO *out, int error, X509 *cert)
{
    switch (error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        put_time(out, "on", X509_get0_notAfter(cert));
        break;
    case X509_V_ERR_CERT_NOT_YET_VALID:
        put_time(out, "before", X509_get0_notBefore(cert));
        break;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        put_alt_names(out, cert);
        break;
    default:
        put_parties(out, cert);
    }
}

static void explain_chain(struct tls_session *t, X509_STORE_CTX *chain)
{
    int error = X509_STORE_CTX_get_error(chain);
    X509 *cert = X509_STORE_CTX_get_current_cert(chain);
    BIO *detail = BIO_new(BIO_s_mem());
    char *text = NULL;
    long len = 0;
    if (detail != NULL && cert != NULL) {
        put_detail(detail, error, cert);
        len = BIO_get_mem_data(detail, &text);
    }
    tls_session_explain(t, "certificate: %s%.*s", X509_verify_cert_error_string(error), (int)len,
                        text != NULL ? text : "");
    BIO_free(detail);
}

/* ---------------------------------------------------------------- pins */

static bool hash_key(X509 *cert, uint8_t hash[CFG_PIN_SIZE])
{
    unsigned char *der = NULL;
    int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &der);
    bool ok = len > 0 && EVP_Digest(der, (size_t)len, hash, NULL, EVP_sha256(), NULL) == 1;
    OPENSSL_free(der);
    return ok;
}

static bool check_pin(struct tls_session *t, const struct tls_trust *trust, X509 *cert)
{
    uint8_t hash[CFG_PIN_SIZE];
    unsigned char text[4 * ((CFG_PIN_SIZE + 2) / 3) + 1];
    if (cert == NULL || !hash_key(cert, hash)) {
        tls_session_explain(t, "certificate: its key cannot be hashed");
        return false;
    }
    for (size_t i = 0; i < trust->npins; i++) {
        if (memcmp(hash, trust->pins[i], sizeof(hash)) == 0) {
            return true;
        }
    }
    EVP_EncodeBlock(text, hash, sizeof(hash));
    tls_session_explain(t, "certificate: its key is not pinned (sha256:%s)", (const char *)text);
    return false;
}

/* ---------------------------------------------------------------- both */

int tls_verify(X509_STORE_CTX *chain, void *trust)
{
    const struct tls_trust *by = trust;
    const SSL *ssl = X509_STORE_CTX_get_ex_data(chain, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct tls_session *t = SSL_get_app_data(ssl);
    if (!by->insecure && X509_verify_cert(chain) != 1) {
        explain_chain(t, chain);
        return 0;
    }
    if (by->npins > 0 && !check_pin(t, by, X509_STORE_CTX_get0_cert(chain))) {
        X509_STORE_CTX_set_error(chain, X509_V_ERR_APPLICATION_VERIFICATION);
        return 0;
    }
    X509_STORE_CTX_set_error(chain, X509_V_OK);
    return 1;
}
