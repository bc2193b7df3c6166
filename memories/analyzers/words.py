"""Function words of English and Spanish that stopwordsiso lacks or does not tell apart."""

from __future__ import annotations

from memories.analyzers.lexicon import phrase_set, word_set

FILLERS = phrase_set("""
    a ver, alright, and, anyway, bueno, but, eh, entonces, er, hello, hey, hi, hmm, hola, i mean, like, mira, o
    sea, ok, okay, oye, pero, pues, right, so, sí, uh, um, vale, well, y, yeah, yes, you know
""")

PRONOUNS = word_set("""
    i you he she it we they who i'm i've i'll we've we'll we're they're yo tú él ella nosotros nosotras ellos
    ellas usted ustedes me te se nos os le les que
""")

DETERMINERS = word_set("""
    the a an my your his her our their this that these those some of about for in on at from with by el la los
    las un una unos unas mi mis tu tus su sus nuestro nuestra nuestros nuestras este esta estos estas ese esa
    del al de sobre para con en por
""")

COMMON_VERBS = word_set("""
    debo debemos admitir acuérdate recuérdame hay celebrate sign signed
    agree agreed agrees ask asked asking asks become began begin bought bring brings brought build built buy
    buys buying call called calling calls came cancel change changed check checked choose chose come comes
    coming confirm confirmed decide decided did do does doing done drink drove eat ended enjoyed explain
    explained feel feeling feels fell felt find finish finished fix fixed forget forgot found gave get gets
    getting give gives giving go goes going gone got happen happened happens hear heard help helped hope hoped
    hoping keep keeps kept knew know knows learn learned leave leaves leaving left let like liked likes listen
    listened live lived lives look looked looking looks lose lost love loved loves made make makes making mean
    means meet meets met move moved need needed needs order ordered paid paint pay pick picked plan planned
    plans plant planted play played promise promised put ran read remember remembered remind renew run said sat
    saw say says see seems seen sell send sends sent show showed shown sit sleep slept smile smiled sold speak
    spent spoke start started stay stayed stop stopped take takes taken talk talked talking tell telling thank
    think thinking thinks thought told took tried try trying turned understand understood use used visit visited
    visiting wait waited waiting walk walked want wanted wants watch watched went wish won work worked works
    write wrote written is are was abrir acabar acordamos acordar agradecer ayudar beber buscar caminar cambiar
    cenar cenamos comer comimos compramos comprar compré comprobar confirmar contar contó decidimos decidir
    dejar descansar dijo dormir empezamos empezar empezó encontramos encontrar encontré enseñar entender
    entregar enviar escribir escuchar esperar estamos estudiar fui fuimos gusta gustan gustó haber hablamos
    hablar hablé hacer hago hicimos hice invitar jugar leer limpiar llamar llamó llamé llegar llegamos llegó
    llevar mandar mirar necesita necesitamos necesito olvidar olvides organizar pagar parece pasamos pasar
    pasear pedir pedimos pensar perder plantar poner preguntar preparar quedamos quedar queremos quiere quiero
    recoger recordar recuerda reservar revisar saber salir salimos sentir siento tenemos tener tengo terminar
    terminamos tomar trabajar traer vemos vender venir ver viajar vimos visitar visitamos vivir volver volvemos
""")

VAGUE = word_set("""
    voice missing ready fair full
    lovely horrible terrible wonderful beautiful awful amazing important worried aprobado book
    monday tuesday wednesday thursday friday saturday sunday january february march april may june july august
    september october november december today tomorrow yesterday tonight morning afternoon evening night day
    days week weeks weekend month months year years hour hours minute minutes time times thing things stuff lot
    lots bit kind sort way really very quite actually maybe perhaps probably good great nice bad happy sad tired
    hopeful glad sorry big small little new old next last early late long short people person guy guys okay yeah
    hello note memo reminder finally basically definitely totally absolutely pretty super best better much many
    gonna wanna gotta end start soon later ago again already still one two three four five six seven eight nine
    ten first second third half couple everyone everything anything nothing somebody thanks please don't ready
    lunes martes miércoles jueves viernes sábado domingo enero febrero marzo abril mayo junio julio agosto
    septiembre octubre noviembre diciembre mañana hoy ayer tarde noche mediodía día días semana semanas mes
    meses año años hora horas minuto minutos vez veces cosa cosas gente persona personas contento contenta feliz
    triste cansado cansada bonito bonita bueno buena malo mala grande pequeño pequeña nuevo nueva muchos nota
    voz recordatorio finales todo próximo próxima pronto luego después casi quizás además ilusión ganas gracias
    dos tres cuatro cinco seis siete ocho nueve diez
""")

NEGATIONS_ES = word_set("""
    no nunca jamás ni sin tampoco nada
""")
STRONG_ES = word_set("""
    muy mucho mucha muchos muchas tan tanto tanta súper bastante realmente más
""")

# How a Spanish word colours a sentence, by its strength. Its inflections share its stem.
MOOD_ES = {
    1.5: word_set("""
        contento feliz felicidad alegría alegre alegro encantado encanta encantó maravilloso maravilla
        fantástico genial estupendo excelente increíble perfecto precioso amor orgulloso orgullo ilusión
        ilusionado entusiasmado entusiasmo emocionado emocionante divertido disfruté disfrutar disfrutamos éxito
        triunfo celebrar celebramos enamorado delicioso espectacular magnífico fenomenal gozar premio
        felicitaciones
    """),
    1.0: word_set("""
        bueno buena bien gusta gustó bonito agradable amable simpático cariñoso cariño tranquilo tranquilidad
        relajado descansado satisfecho agradecido gracias esperanza esperanzado optimista positivo suerte
        afortunado mejoró mejorar ganar ganamos sonrisa reír reímos risa abrazo amistad sabroso fácil
        cómodo animado ánimo paz confianza confiado aliviado alivio logro logré conseguimos inspirado
        hermoso lindo guapo acogedor regalo fiesta
    """),
    -1.0: word_set("""
        malo mala mal peor cansado cansancio agotado aburrido aburrimiento difícil problema complicado
        preocupado preocupa preocupación nervioso nervios estrés estresado duda miedo dolor duele enfermo
        enfermedad error fallo falló culpa perder perdimos perdido soledad lástima pena molesto molesta incómodo
        feo sucio ruido discutir discutimos discusión pelea queja quejarse retraso lento caro confuso confundido
        inseguro débil frustrado frustración decepción decepcionado fracaso fracasar
    """),
    -1.5: word_set("""
        triste tristeza horrible terrible fatal pésimo odio odiar enfadado enfado furioso rabia ira enojado
        llorar lloré llorando deprimido depresión angustia angustiado ansiedad desastre desgracia muerte murió
        morir accidente asustado pánico desesperado insoportable asco asqueroso cruel injusto grave crisis
        tragedia devastado hundido sufrir sufrimiento sufro
    """),
}
